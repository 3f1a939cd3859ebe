"""A sample package, as installed: its dist-info beside it names the entry points that tinygraph reads."""
