"""Layers and networks of layers; and the lecture's own classes as nodes of the graph."""

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
