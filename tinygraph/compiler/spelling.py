"""Spelling: how Values, arguments and calls are written in a program, and what their names stand for."""

from __future__ import annotations

import keyword
import re
import sys
from typing import Any

import numpy as np

from tinygraph.compiler.calls import astype, copy, getitem, masked, one_hot, taken
from tinygraph.compiler.plan import Step, Value, is_uniform


class Spelling:
    """Gives every Value a name of its own, and writes calls.

    Attributes:
        names: What each Value is called.
        constants: The lines that make the constant arrays.
        namespace: What the text refers to and cannot spell: large constant arrays, checks of values.
    """

    def __init__(self) -> None:
        self.names: dict[Value, str] = {}
        self.constants: list[str] = []
        self.namespace: dict[str, Any] = {}
        self._taken = {"np", "step"}

    def name(self, value: Value, wish: str) -> str:
        """A name of its own for a Value."""
        wish = re.sub(r"\W", "_", value.name or wish)
        if not wish.isidentifier() or keyword.iskeyword(wish):
            wish = f"v_{wish}"
        name, n = wish, 1
        while name in self._taken:
            n += 1
            name = f"{wish}_{n}"
        self._taken.add(name)
        self.names[value] = name
        return name

    def text(self, x: Any) -> str:
        """An argument as source."""
        if isinstance(x, Value):
            if x.constant is not None and x not in self.names:
                name = self.name(x, "c")
                self.constants.append(f"{name} = {_spelled(x.constant)}" if _is_short(x.constant) else
                                      f"{name} = constants[{len(self.namespace.setdefault('constants', []))}]")
                if not _is_short(x.constant):
                    self.namespace["constants"].append(x.constant)
            return self.names[x]
        if isinstance(x, tuple):
            return f"({', '.join(map(self.text, x))}{',' if len(x) == 1 else ''})"
        if isinstance(x, list):
            return f"[{', '.join(map(self.text, x))}]"
        if isinstance(x, np.dtype):
            return f"np.{x.name}"
        if isinstance(x, type) and issubclass(x, np.generic):
            return f"np.{x.__name__}"
        if isinstance(x, slice):
            return f"slice({self.text(x.start)}, {self.text(x.stop)}, {self.text(x.step)})"
        if isinstance(x, float) and not np.isfinite(x):
            return f"float('{x}')"
        if x is np._NoValue:
            return "np._NoValue"
        if x is None or x is Ellipsis or isinstance(x, bool | int | float | complex | str | np.generic):
            return repr(x)
        return self._known(x, getattr(x, "__name__", "object"))

    def _known(self, thing: Any, wish: str) -> str:
        """A name for an object that cannot be spelled."""
        for name, other in self.namespace.items():
            if other is thing:
                return name
        name = re.sub(r"\W", "_", wish)
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self.namespace[name] = thing
        return name

    def index(self, index: Any) -> str:
        """What stands between the brackets of ``x[...]``."""
        if isinstance(index, tuple) and index:
            return ", ".join(map(self.index, index)) + ("," if len(index) == 1 else "")
        if isinstance(index, slice):
            ends = ["" if end is None else self.text(end) for end in (index.start, index.stop, index.step)]
            return ":".join(ends if index.step is not None else ends[:2])
        return "..." if index is Ellipsis else self.text(index)

    def call(self, step: Step, out: str = "") -> str:
        """A call, which writes its result into ``out`` where that is said."""
        function, args = step.function, step.args
        first = args[0] if args else None
        if function is masked:
            mask, x = map(self.text, args)
            dtype = args[1].dtype
            bits = f"np.int{8 * dtype.itemsize}"
            target = f", out={out}.view({bits})" if out else ""
            return f"np.multiply({x}.view({bits}), {mask}{target}).view(np.{dtype.name})"
        if function is one_hot:
            return f"{self.text(first)}.take({self.text(args[1])}, axis=0, mode='clip'{f', out={out}' if out else ''})"
        if function is taken:
            return f"{self.text(first)}.take({self.text(args[1])}, mode='clip'{f', out={out}' if out else ''})"
        if function in (np.argmax, np.argmin) and isinstance(first, Value) and len(args) == 2 and not step.kwargs:
            return f"{self.text(first)}.{function.__name__}({self.text(args[1])}{f', out={out}' if out else ''})"
        if function is getitem:
            return f"{self.text(first)}[{self.index(args[1])}]"
        if function is astype:
            return f"{self.text(first)}.astype({self.text(args[1])})"
        if function is copy:
            return f"{self.text(first)}.copy()"
        if isinstance(first, Value) and len(first.shape) == 2 and (
                (function is np.swapaxes and set(args[1:]) in ({-1, -2}, {0, 1}))
                or (function is np.transpose and args[1:] in ((), (None,)) and not step.kwargs)):
            return f"{self.text(first)}.T"
        if function is np.reshape and len(args) == 2 and not step.kwargs:
            return f"{self.text(first)}.reshape({self.text(args[1])})"
        if function is np.expand_dims and isinstance(first, Value) and first.shape and isinstance(args[1], int):
            axis = args[1] % (len(first.shape) + 1)
            return f"{self.text(first)}[{', '.join([':'] * axis + ['None', '...'])}]"
        arguments = [*map(self.text, args), *(f"{name}={self.text(value)}" for name, value in step.kwargs.items()
                                              if value is not np._NoValue)]
        arguments += [f"out={out}"] if out else []
        return f"{self._function(function)}({', '.join(arguments)})"

    def _function(self, function: Any) -> str:
        name: str = getattr(function, "__name__", "function")
        if isinstance(function, np.ufunc) and getattr(np, name, None) is function:
            return f"np.{name}"
        owner = getattr(function, "__self__", None)
        if isinstance(owner, np.ufunc):
            return f"{self._function(owner)}.{name}"
        if isinstance(owner, np.random.Generator):
            return f"{self._known(owner, 'rng')}.{name}"
        module = getattr(function, "__module__", None) or ""
        if module.startswith("numpy"):
            path = module.replace("numpy", "np", 1)
            for prefix in (path, "np", "np.linalg", "np.fft", "np.lib.stride_tricks"):
                found: Any = np
                for part in prefix.split(".")[1:]:
                    found = getattr(found, part, None)
                if getattr(found, name, None) is function and "._" not in prefix:
                    return f"{prefix}.{name}"
        for prefix, home in list(sys.modules.items()):
            if prefix.startswith("scipy.") and prefix.count(".") == 1 and getattr(home, name, None) is function:
                self._taken.add("scipy")
                self.namespace["scipy"] = sys.modules["scipy"]
                return f"{prefix}.{name}"
        return self._known(function, name)


def wish(step: Step) -> str:
    """What a call's result would be called: the function's name, and for a ufunc's reduce what it comes to."""
    known = {np.add.reduce: "sum", np.multiply.reduce: "prod", np.maximum.reduce: "max", np.minimum.reduce: "min"}
    return known.get(step.function) or str(getattr(step.function, "__name__", "v"))


def _is_short(array: Any) -> bool:
    return array.size <= 16 or (array.dtype.kind in "biuf" and (is_uniform(array) or _diagonal(array) is not None))


def _diagonal(array: Any) -> int | None:
    """Which diagonal of a matrix, its own or one beside it, is ones where all else is zeros."""
    for k in (0, -1, 1) if array.ndim == 2 else ():
        if array.tobytes() == np.eye(len(array), array.shape[1], k, array.dtype).tobytes():
            return k
    return None


def _spelled(array: Any) -> str:
    array = np.asarray(array)
    if array.size > 4 and array.dtype.kind in "biuf" and is_uniform(array):
        value = re.sub(r"\b(inf|nan)\b", r"np.\1", repr(array.flat[0].item()))
        if (kind := {"0": "zeros", "0.0": "zeros", "1": "ones", "1.0": "ones"}.get(value)) is not None:
            return f"np.{kind}({array.shape}, np.{array.dtype.name})"
        return f"np.full({array.shape}, {value}, np.{array.dtype.name})"
    if array.size > 4 and array.dtype.kind in "biuf" and (k := _diagonal(array)) is not None:
        return f"np.eye({array.shape[0]}, {array.shape[1]}, {k}, np.{array.dtype.name})"
    elements = re.sub(r"\b(inf|nan)\b", r"np.\1", repr(array.tolist()))
    shaped = "" if np.shape(array.tolist()) == array.shape else f".reshape({array.shape})"
    return f"np.array({elements}, np.{array.dtype.name}){shaped}"
