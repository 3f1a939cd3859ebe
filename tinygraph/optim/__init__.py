"""Optimisers: how a step changes the weights, given their gradients. The update is written into the weights' arrays.

The names, the defaults and what they do are PyTorch's.

>>> import tinygraph as tg
>>> w = tg.tensor([3.0, -4.0], requires_grad=True)
>>> optimizer = SGD([w], lr=0.25)
>>> (w * w).sum().backward()
>>> optimizer.step()
>>> w.data
array([ 1.5, -2. ])
"""

from tinygraph.optim.adaptive import Adagrad, Adam, AdamW, RMSprop
from tinygraph.optim.base import OPTIMIZERS, Optimizer, find, load_plugins, register
from tinygraph.optim.sgd import SGD, Momentum, Nesterov

__all__ = ["OPTIMIZERS", "SGD", "Adagrad", "Adam", "AdamW", "Momentum", "Nesterov", "Optimizer", "RMSprop", "find",
           "load_plugins", "register"]
