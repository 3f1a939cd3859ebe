"""Stochastic gradient descent, with momentum where it is asked for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.errors import ArgumentError
from tinygraph.optim.base import Optimizer, Weights, at_least_zero, register
from tinygraph.tensors import Tensor


@register("sgd")
class SGD(Optimizer):
    r"""Stochastic gradient descent: w ← w - lr g, with momentum and weight decay where they are asked for.

    With weight decay λ, g is first g + λ w. With momentum μ the velocity v ← μ v + (1 - dampening) g, which starts as
    the first g, takes the place of g; with ``nesterov`` g + μ v does. These are PyTorch's conventions: lr multiplies
    the velocity and is not inside it, so that a changed lr acts at once.

    Raises ArgumentError for a setting below 0, or ``nesterov`` without momentum or with dampening.

    >>> import tinygraph as tg
    >>> w = tg.tensor(1.0, requires_grad=True)
    >>> optimizer = SGD({"w": w}, lr=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (2 * w).backward()
    ...     optimizer.step()
    >>> print(f"{w:.2f}")  # 1 - 0.1 · 2 - 0.1 · (0.9 · 2 + 2)
    0.42

    Source: I. Sutskever, J. Martens, G. Dahl, G. Hinton, On the importance of initialization and momentum in deep
    learning, ICML 2013, equations 1 to 4, with the learning rate outside the velocity.
    """

    settings: ClassVar[tuple[str, ...]] = ("lr", "momentum", "dampening", "weight_decay", "nesterov")

    def __init__(self, weights: Weights, lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(weights, lr)
        self.momentum = at_least_zero("momentum", momentum)
        self.dampening = at_least_zero("dampening", dampening)
        self.weight_decay = at_least_zero("weight_decay", weight_decay)
        self.nesterov = bool(nesterov)
        if self.nesterov and not self.momentum:
            raise ArgumentError("nesterov looks ahead along the momentum, so momentum should be above 0, and it is 0")
        if self.nesterov and self.dampening:
            raise ArgumentError(f"nesterov goes without dampening, which should be 0 and is {dampening}")
        if self.momentum:
            self.remember("velocity")

    def update(self, name: str, weight: Tensor, g: Array) -> None:
        """Take one step down; makes at most one array of the weight's size for each of the settings in use."""
        if self.weight_decay:
            decayed = self.weight_decay * weight.data
            decayed += g
            g = decayed
        if self.momentum:
            velocity = self.slots["velocity"][name].data
            velocity *= self.momentum
            if self.dampening:
                share = np.where(self.steps_of(name) == 1, 1.0, 1.0 - self.dampening)
                velocity += share.astype(weight.dtype) * g
            else:
                velocity += g
            if self.nesterov:
                ahead = self.momentum * velocity
                ahead += g
                g = ahead
            else:
                g = velocity
        array = weight.data  # `weight.data -= ...` would go through the setter as well, for 0.2 µs a weight
        array -= self.scaled(g)


@register("momentum")
class Momentum(SGD):
    """`SGD` with a momentum of 0.9, as the book's Momentum has it.

    >>> import tinygraph as tg
    >>> Momentum([tg.tensor(1.0, requires_grad=True)]).momentum
    0.9
    """

    def __init__(self, weights: Weights, lr: float = 0.01, momentum: float = 0.9, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False) -> None:
        super().__init__(weights, lr, momentum, dampening, weight_decay, nesterov)


@register("nesterov")
class Nesterov(Momentum):
    """`Momentum` that looks ahead, as the book's Nesterov does.

    >>> import tinygraph as tg
    >>> Nesterov([tg.tensor(1.0, requires_grad=True)]).nesterov
    True
    """

    def __init__(self, weights: Weights, lr: float = 0.01, momentum: float = 0.9, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = True) -> None:
        super().__init__(weights, lr, momentum, dampening, weight_decay, nesterov)
