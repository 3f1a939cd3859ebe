"""Questions to a function or a live graph, one a file."""
