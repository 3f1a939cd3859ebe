"""What a layer of the lecture's kind gives when it goes back, and the sentences that name what is wrong with it.

Each function gives the sentence, or None where there is nothing to say.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array, is_array

FACTOR = -2
"""What dout is multiplied by, to see whether the gradients follow: exact in binary, and negative to tell |dout|."""


class Gradients:
    """What one call of backward gave: a gradient an input, those of the weights, and whether dout was written into."""

    __slots__ = ("inputs", "weights", "wrote")

    def __init__(self, inputs: list[Any], weights: dict[str, Any], wrote: bool) -> None:
        self.inputs, self.weights, self.wrote = inputs, weights, wrote

    def _each(self, f: Any) -> Gradients:
        return Gradients([None if c is None else f(c) for c in self.inputs],
                         {name: None if c is None else f(c) for name, c in self.weights.items()}, self.wrote)

    def copied(self) -> Gradients:
        """The same in arrays of their own: the layer may write its next ones into these."""
        return self._each(np.array)

    def times(self, factor: Array) -> Gradients:
        """Each of them multiplied by a number."""
        return self._each(lambda c: c * factor)

    def paired(self, other: Gradients) -> list[tuple[str, Any, Any]]:
        """Ours and another call's, with their names."""
        names = [*(f"gradient of input {i}" for i in range(len(self.inputs))), *(f"d{name}" for name in self.weights)]
        ours, theirs = ([*gradients.inputs, *gradients.weights.values()] for gradients in (self, other))
        return list(zip(names, ours, theirs, strict=True))

    def tell(self) -> bool:
        """Whether they can show what became of dout: all finite, and not all zero."""
        given = [c for c in (*self.inputs, *self.weights.values()) if c is not None]
        return all(bool(np.all(np.isfinite(c))) for c in given) and any(bool(np.any(c)) for c in given)


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same up to rounding, in units of the largest element.

    >>> same(np.ones(2), np.ones(2) + 1e-15), same(np.ones(2), np.ones(3)), same(np.full(2, 1e-30), np.zeros(2))
    (True, False, False)
    """
    if not is_array(a) or not is_array(b):
        return a is b or bool(np.all(a == b))
    if np.shape(a) != np.shape(b):
        return False
    if a.dtype.kind not in "fc":
        return bool(np.array_equal(a, b))
    largest = np.max(np.absolute(a), initial=0, where=np.isfinite(a))
    return np.allclose(a, b, 0, 1e3 * float(np.finfo(a.dtype).eps) * largest, equal_nan=True)


def wrote(name: str) -> str:
    """The sentence about a layer that wrote into dout."""
    return (f"{name}.backward wrote into dout, which other nodes may share, so that relu(x) + x gets a wrong gradient: "
            "let it write into a copy")


def ignored(name: str, once: Gradients, scaled: Gradients) -> str | None:
    """Whether it gave the same for dout and for -2 dout."""
    if not once.tell() or not all(same(c, d) for _, c, d in once.paired(scaled)):
        return None
    return (f"{name}.backward ignored dout: it gives for -2 dout what it gives for dout, which is right only where the "
            "graph ends; let it multiply its gradients by dout")


def nonlinear(name: str, once: Gradients, scaled: Gradients) -> str | None:
    """Which of its gradients for -2 dout are not -2 times those for dout."""
    if not once.tell():
        return None
    wrong = [of for of, c, d in once.paired(scaled) if c is not None and not same(FACTOR * np.asarray(c), d)]
    if not wrong:
        return None
    return (f"{name}.backward is not linear in dout: its {' and '.join(wrong)} for -2 dout is not -2 times that for "
            "dout; multiply by dout once, and set a gradient, do not add to what was there")


def unfit(name: str, c: Any, x: Array, of: str) -> str | None:
    """Whether the gradient of ``x`` is missing or has another shape."""
    if c is None:
        return f"{name}.backward gave no gradient of {of}: it is None"
    if np.shape(c) != x.shape:
        return f"{name}.backward: the gradient of {of} has shape {np.shape(c)}, and {of} has {x.shape}"
    return None


def wrong(name: str, c: Array, numerical: Array, of: str, tolerance: float) -> str | None:
    """Where a gradient and central differences are furthest apart, if that is too far."""
    error = np.absolute(c - numerical) / np.maximum(1, np.absolute(numerical))
    if np.all(error <= tolerance):
        return None
    index = np.unravel_index(int(np.argmax(error)), c.shape)
    place = f" at [{', '.join(map(str, index))}]" if index else ""
    return (f"{name}.backward: the gradient of {of}{place} is {c[index]:.6g} and central differences give "
            f"{numerical[index]:.6g}")
