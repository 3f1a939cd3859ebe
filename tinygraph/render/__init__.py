"""Pictures of a graph: `scene` says what to draw, a file a format prints it, `drawing` is what a user holds."""
