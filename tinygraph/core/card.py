"""Card: what an op says of itself, for whoever reads it: pictures, derivations, costs, docs, tests."""

from __future__ import annotations

import functools
import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any

from tinygraph.core.errors import MissingDependencyError
from tinygraph.core.messages import here

_COTANGENT = r"(?<![A-Za-z\\])g(?:_([0-9a-z]))?(\^)?(?![A-Za-z])"


def _spelt_out(found: re.Match[str]) -> str:
    index, script = found.groups()
    tex = rf"\frac{{\partial L}}{{\partial Y{f'_{index}' if index else ''}}}"
    return rf"\left({tex}\right)^" if script else tex


class Card:
    """An operation as its header describes it.

    Attributes:
        name: The key in OPS, which is the function's own name.
        symbol: What the circle of the diagram shows.
        tex: The formulas of the backward arrows, one an input, in TeX; may be empty. See `formula`.
        flops: f(y, *inputs, **params) -> floating-point operations of one forward, or None.
        stands_for: The functions that this op stands for in the NumPy protocols; one of another package, which may
            not be installed, by its dotted name.
        validate: Checks the values of real inputs before each call; raises one clear sentence.
        mismatch: f(*inputs) -> the sentence that says why these shapes do not fit.
        outputs, hidden: How many arrays the forward returns (0: one, bare), and how many of them, at the end, only
            the rules see.
        opaque: True where the forward cannot dispatch to other arrays than NumPy's.

    >>> import numpy as np
    >>> import tinygraph as tg
    >>> tg.matmul.symbol
    'dot'
    >>> tg.matmul.flops(np.ones((2, 4)), np.ones((2, 3)), np.ones((3, 4)))
    48
    """

    __name__: str
    __qualname__: str
    inputs: tuple[str, ...]

    def __init__(self, function: Callable[..., Any], *, symbol: str | None = None, numpy: Any = (),
                 tex: tuple[str, ...] = (), flops: Callable[..., int] | None = None, nested: str | None = None,
                 validate: Callable[..., None] | None = None, mismatch: Callable[..., str] | None = None,
                 outputs: int = 0, hidden: int = 0, result: Callable[..., Any] | None = None,
                 opaque: bool = False) -> None:
        # What functools.update_wrapper does, at a third of its cost: there are hundreds of ops to import.
        self.__name__ = self.__qualname__ = function.__name__
        self.__module__ = getattr(function, "__module__", __name__)  # a ufunc has none
        self.__doc__, self.__wrapped__ = function.__doc__, function
        self.name = function.__name__
        self.function = function
        self.symbol = symbol if symbol is not None else self.name
        self.stands_for = numpy if isinstance(numpy, tuple) else (numpy,)
        self._tex, self.flops, self.validate, self.mismatch = tex, flops, validate, mismatch
        self.outputs, self.hidden, self.result, self.opaque = outputs, hidden, result, opaque
        self.nested = nested

    @functools.cached_property
    def numpy(self) -> tuple[Callable[..., Any], ...]:
        """The functions that this op stands for, those of another package imported now."""
        return tuple(imported(f) if isinstance(f, str) else f for f in self.stands_for)

    @functools.cached_property
    def tex(self) -> tuple[str, ...]:
        r"""The formulas of the backward arrows in TeX, as the lecture writes them.

        A card writes g for the cotangent, as its rules do, which is spelt out here as ∂L/∂Y; g_0 is ∂L/∂Y_0, that of
        the first of several outputs.

        >>> import tinygraph as tg
        >>> tg.tanh.tex
        ('\\frac{\\partial L}{\\partial Y} \\odot (1 - Y^2)',)
        """
        return tuple(re.sub(_COTANGENT, _spelt_out, formula) for formula in self._tex)

    def formula(self, position: int) -> str:
        """The formula of input ``position``, or ""; all arrays inside the nested argument share one, the last."""
        place = min(position, len(self.inputs)) if self.nested else position
        return self.tex[place] if place < len(self.tex) else ""

    @functools.cached_property
    def letters(self) -> tuple[str, ...]:
        """What stands for each input in the formulas: X for x and input, X_1 for x1, W for weights; or "", if unclear.

        >>> import tinygraph as tg
        >>> tg.hypot.letters, tg.where.letters
        (('X_1', 'X_2'), ('C', 'X_1', 'X_2'))
        """
        found: list[str] = []
        for name in ["x" if name == "input" else name for name in self.inputs]:
            numbered = len(name) == 2 and name[1].isdigit()
            alone = len(name) == 1 or (sum(other[0] == name[0] for other in self.inputs) == 1 and name[0] != "l")
            found.append(f"{name[0].upper()}_{name[1]}" if numbered else name[0].upper() if alone else "")
        return tuple(found)

    @property
    def signature(self) -> inspect.Signature:
        """The arguments and their defaults, without types."""
        signature = inspect.signature(self.function)
        bare = [a.replace(annotation=a.empty) for a in signature.parameters.values()]
        return signature.replace(parameters=bare, return_annotation=signature.empty)

    def __repr__(self) -> str:
        return f"<op {self.name}{self.signature}>"


@functools.cache
def imported(name: str) -> Callable[..., Any]:
    """The function that a dotted name such as ``scipy.special.erf`` stands for; its package is imported now.

    Raises MissingDependencyError, which says how to install the package.

    >>> imported("math.hypot")(3, 4)
    5.0
    """
    module, _, function = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), function)  # type: ignore[no-any-return]
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingDependencyError(f"{name} needs {package}, which is not installed: "
                                     f"pip install 'tinygraph[{package}]'{here()}") from error
