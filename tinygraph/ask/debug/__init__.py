"""debug: stop at the first wrong number, array or rule while a graph is made and gone back through."""

from tinygraph.ask.debug.block import debug

__all__ = ["debug"]
