"""Optimisers that give each weight a rate of its own: AdaGrad, RMSProp, Adam and AdamW."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.optim.base import Optimizer, Weights, at_least_zero, below_one, register
from tinygraph.tensors import Tensor


def _decayed(decay: float, weight: Tensor, g: Array) -> Array:
    """The gradient with that of decay ‖w‖² / 2."""
    return g if not decay else g + decay * weight.data


@register("adagrad")
class Adagrad(Optimizer):
    """AdaGrad: w ← w - lr g / (√h + ε), where h adds up g².

    With ``lr_decay`` the rate of step n is lr / (1 + (n - 1) lr_decay). The book's ``AdaGrad``.

    >>> import tinygraph as tg
    >>> w = tg.tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data  # the first step is lr long, whatever the gradient
    array([ 2.5, -3.5])

    Source: J. Duchi, E. Hazan, Y. Singer, Adaptive subgradient methods for online learning and stochastic
    optimization, JMLR 12 (2011), figure 1.
    """

    settings: ClassVar[tuple[str, ...]] = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def __init__(self, weights: Weights, lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
                 initial_accumulator_value: float = 0.0, eps: float = 1e-10) -> None:
        super().__init__(weights, lr)
        self.lr_decay = at_least_zero("lr_decay", lr_decay)
        self.weight_decay = at_least_zero("weight_decay", weight_decay)
        self.initial_accumulator_value = at_least_zero("initial_accumulator_value", initial_accumulator_value)
        self.eps = at_least_zero("eps", eps)
        self.remember("sum", self.initial_accumulator_value)

    def update(self, name: str, weight: Tensor, g: Array) -> None:
        """Take one step down."""
        g = _decayed(self.weight_decay, weight, g)
        total = self.slots["sum"][name].data
        total += g * g
        lr: Array = self.lr
        if self.lr_decay:
            lr = (lr / (1.0 + (self.steps_of(name) - 1) * self.lr_decay)).astype(weight.dtype)
        weight.data -= lr * g / (np.sqrt(total) + self.eps)


@register("rmsprop")
class RMSprop(Optimizer):
    """RMSProp: w ← w - lr g / (√s + ε), where s is a running mean of g²: s ← α s + (1 - α) g².

    ``centered`` takes the square of a running mean of g from s; with momentum μ the velocity v ← μ v + g / (√s + ε)
    is what lr multiplies.

    >>> import tinygraph as tg
    >>> w = tg.tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data  # the first step is lr / √(1 - α) long
    array([ 2.9, -3.9])

    Source: T. Tieleman, G. Hinton, Lecture 6.5, Neural networks for machine learning, 2012; centred: A. Graves,
    Generating sequences with recurrent neural networks, 2013, equations 38 to 41.
    """

    settings: ClassVar[tuple[str, ...]] = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered")

    def __init__(self, weights: Weights, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False) -> None:
        super().__init__(weights, lr)
        self.alpha = below_one("alpha", alpha)
        self.eps = at_least_zero("eps", eps)
        self.weight_decay = at_least_zero("weight_decay", weight_decay)
        self.momentum = at_least_zero("momentum", momentum)
        self.centered = bool(centered)
        self.remember("square_avg")
        if self.momentum:
            self.remember("velocity")
        if self.centered:
            self.remember("grad_avg")

    def update(self, name: str, weight: Tensor, g: Array) -> None:
        """Take one step down."""
        g = _decayed(self.weight_decay, weight, g)
        square = self.slots["square_avg"][name].data
        square *= self.alpha
        square += (1.0 - self.alpha) * g * g
        spread = square
        if self.centered:
            mean = self.slots["grad_avg"][name].data
            mean += (1.0 - self.alpha) * (g - mean)
            spread = square - mean * mean
        g = g / (np.sqrt(spread) + self.eps)
        if self.momentum:
            velocity = self.slots["velocity"][name].data
            velocity *= self.momentum
            velocity += g
            g = velocity
        weight.data -= self.scaled(g)


@register("adam")
class Adam(Optimizer):
    """Adam: w ← w - lr m / (√v + ε), where m and v are running means of g and of g², each without its first bias.

    m ← β₁ m + (1 - β₁) g and v ← β₂ v + (1 - β₂) g²; at step n they are divided by 1 - β₁ⁿ and 1 - β₂ⁿ, since they
    start at 0. Weight decay λ adds λ w to g.

    >>> import tinygraph as tg
    >>> w = tg.tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.5)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.data.round(6)  # the first step is lr long, whatever the gradient
    array([ 2.5, -3.5])

    Source: D. Kingma, J. Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1.
    """

    settings: ClassVar[tuple[str, ...]] = ("lr", "betas", "eps", "weight_decay")
    decoupled: ClassVar[bool] = False

    def __init__(self, weights: Weights, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0) -> None:
        super().__init__(weights, lr)
        # A list, as it comes back from a file of saved state.
        self.betas = [below_one("the first of betas", betas[0]), below_one("the second of betas", betas[1])]
        self.eps = at_least_zero("eps", eps)
        self.weight_decay = at_least_zero("weight_decay", weight_decay)
        self.remember("exp_avg")
        self.remember("exp_avg_sq")

    def update(self, name: str, weight: Tensor, g: Array) -> None:
        """Take one step down."""
        beta1, beta2 = self.betas
        if self.decoupled:
            shrink = 1.0 - self.lr * self.weight_decay
            weight.data *= shrink
        else:
            g = _decayed(self.weight_decay, weight, g)
        mean, square = self.slots["exp_avg"][name].data, self.slots["exp_avg_sq"][name].data
        mean *= beta1
        mean += (1.0 - beta1) * g
        square *= beta2
        square += (1.0 - beta2) * g * g
        steps = self.steps_of(name)
        # Worked out in float64, and rounded to the weight's dtype once.
        rate = (self.lr / (1.0 - np.power(beta1, steps))).astype(weight.dtype)
        root = np.sqrt(1.0 - np.power(beta2, steps)).astype(weight.dtype)
        weight.data -= rate * mean / (np.sqrt(square) / root + self.eps)


@register("adamw")
class AdamW(Adam):
    """`Adam` whose weight decay λ is none of the gradient's: w ← (1 - lr λ) w before each step.

    >>> import tinygraph as tg
    >>> w = tg.tensor([2.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.5, weight_decay=0.1)
    >>> (0 * w).sum().backward()
    >>> optimizer.step()
    >>> w.data
    array([1.9])

    Source: I. Loshchilov, F. Hutter, Decoupled weight decay regularization, ICLR 2019, algorithm 2.
    """

    decoupled: ClassVar[bool] = True

    def __init__(self, weights: Weights, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2) -> None:
        super().__init__(weights, lr, betas, eps, weight_decay)
