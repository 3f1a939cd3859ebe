"""The workloads, one a file. Each has ``cases()``, which gives its cases; nothing heavy is made before a case is run."""
