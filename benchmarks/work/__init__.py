"""The workloads, one a file; ``cases()`` gives a file's cases, and nothing heavy is made before one is run."""
