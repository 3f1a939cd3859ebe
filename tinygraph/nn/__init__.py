"""Layers: the lecture's own classes as nodes of the graph."""

from tinygraph.nn.wrap import WrappedLayer, wrap_layer

__all__ = ["WrappedLayer", "wrap_layer"]
