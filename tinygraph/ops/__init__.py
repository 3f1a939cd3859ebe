"""The operations, one family a file. Importing a file registers its ops."""
