"""Layers and networks of layers; and the lecture's own classes as nodes of the graph."""

from typing import Any

from tinygraph.nn import functional, initial
from tinygraph.nn.layers import (
    Affine,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Softmax,
    SoftmaxWithLoss,
    Tanh,
)
from tinygraph.nn.module import Module, Sequential
from tinygraph.nn.wrap import WrappedLayer, wrap_layer

__all__ = ["Module", "Sequential", "Affine", "Conv2d", "MaxPool2d", "AvgPool2d", "Flatten", "Dropout", "BatchNorm",
           "ReLU", "Sigmoid", "Tanh", "Softmax", "SoftmaxWithLoss", "WrappedLayer", "wrap_layer",
           "functional", "initial"]

_HERE = {"Linear": "Affine", "Convolution": "Conv2d", "Pooling": "MaxPool2d", "Relu": "ReLU",
         "CrossEntropyLoss": "SoftmaxWithLoss", "BatchNorm1d": "BatchNorm", "BatchNorm2d": "BatchNorm",
         "BatchNormalization": "BatchNorm", "init": "initial"}
"""What PyTorch or the lecture call otherwise."""


def __getattr__(name: str) -> Any:
    hint = f"; it is called {_HERE[name]} here" if name in _HERE else ""
    raise AttributeError(f"module 'tinygraph.nn' has no attribute {name!r}{hint}")
