"""Questions to a function or a live graph, one a package; what they share stands beside them."""
