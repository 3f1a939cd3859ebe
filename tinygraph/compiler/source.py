"""Source: a plan printed as straight-line Python on NumPy, with buffers that are allocated once and used again."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.compiler.calls import MAYBE_VIEWS, astype, copy, getitem, into, setitem
from tinygraph.compiler.plan import Plan, Step, Value, values_in

WITH_OUT = {np.sum, np.max, np.min, np.mean, np.prod, np.add.reduce, np.multiply.reduce, np.maximum.reduce,
            np.minimum.reduce}
"""Reductions that take ``out=``; ufuncs do anyway."""


@dataclass(frozen=True)
class Line:
    """One line of a program: its text, the comment that says where it comes from, and what it costs.

    Attributes:
        flops: Floating-point operations, as far as they are known.
        nbytes: What it reads and writes (bytes).
    """

    text: str
    why: str = ""
    flops: int = 0
    nbytes: int = 0


@dataclass(frozen=True)
class Program:
    """Straight-line Python that defines ``step``, and the objects that its names stand for.

    Attributes:
        prologue: The lines that make constants and buffers. Each run makes buffers of its own.
        arguments, lines, answer: The function.
        namespace: What the text refers to and cannot spell: large constant arrays, checks of values.
        buffers: What the buffers take up (bytes).
    """

    prologue: tuple[str, ...]
    arguments: str
    lines: tuple[Line, ...]
    answer: str
    namespace: dict[str, Any]
    buffers: int

    @property
    def source(self) -> str:
        """The text. Run as a module it makes its buffers."""
        return self.text_with(lambda n, line: [line])

    def text_with(self, change: Callable[[int, str], list[str]]) -> str:
        """The text, with each line of the function's body turned into others."""
        width = min(max((len(line.text) for line in self.lines), default=0), 88)
        body = [f"{line.text:{width}}  # {line.why}" if line.why else line.text for line in self.lines]
        changed = [text for n, line in enumerate(body) for text in change(n, line)]
        changed.append(f"return {self.answer}")
        function = [f"def step({self.arguments}):", *(f"    {line}" for line in changed), ""]
        return "\n".join([*self.prologue, "", "", *function]).lstrip("\n")

    def load(self, text: str | None = None, **names: Any) -> Callable[..., Any]:
        """The function, with buffers of its own."""
        namespace = {"np": np, **self.namespace, **names}
        exec(compile(text or self.source, "<tinygraph step>", "exec"), namespace)
        step: Callable[..., Any] = namespace["step"]
        return step


def cost(step: Step) -> tuple[int, int]:
    """A call's floating-point operations and the bytes that it reads and writes; none for a view."""
    if step.shares is not None or step.result is None:
        return 0, 0
    sizes = [int(np.prod(v.shape)) for v in step.results]
    nbytes = sum(v.nbytes for v in (*step.reads, *step.results))
    if step.function in (np.matmul, np.dot) and all(isinstance(a, Value) for a in step.args):
        return 2 * sizes[0] * (step.args[0].shape or (1,))[-1], nbytes
    if isinstance(step.function, np.ufunc):
        return sum(sizes), nbytes
    if isinstance(getattr(step.function, "__self__", None), np.ufunc):
        return int(np.prod(step.args[0].shape)), nbytes
    return 0, nbytes


def printed(plan: Plan) -> Program:
    """The program of a plan."""
    return _Printer(plan).program()


class _Printer:
    """Goes through the steps once, in order, and decides where each result lies."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.steps, self.sunk = _sink(plan)
        self.namespace: dict[str, Any] = {}
        self.constants: list[str] = []
        self.buffers: list[tuple[tuple[int, ...], np.dtype[Any]]] = []
        self.free: list[int] = []
        self.names: dict[Value, str] = {}
        self.taken = {"np", "step"}
        self.root: dict[Value, Value] = {}
        for step in self.steps:
            for result in step.results:
                if step.shares is not None:
                    self.root[result] = self._root(step.shares)
        self.last = self._last_uses()
        self.held: dict[Value, int] = {}  # the buffer that a root lies in
        self.fresh: set[Value] = set()  # roots that a call allocated and that nobody else knows

    def _root(self, value: Value) -> Value:
        return self.root.get(value, value)

    def _last_uses(self) -> dict[Value, int]:
        last: dict[Value, int] = {}
        for i, step in enumerate(self.steps):
            for value in (*step.reads, *step.results):
                last[self._root(value)] = i
        for value in self.plan.ends:
            last[self._root(value)] = len(self.steps)
        for step in self.sunk.values():
            for value in step.reads:
                last[self._root(value)] = len(self.steps)
        return last

    def program(self) -> Program:
        for value in (*self.plan.inputs, *self.plan.states):
            self.name(value, value.name or "x")
        lines: list[Line] = []
        for i, step in enumerate(self.steps):
            lines += [Line(text, step.why, *cost(step)) for text in self._step(i, step)]
            self._release(i, step)
        # Whatever lies in an argument or a state is copied before the first state is written.
        results = [self._returned(value, lines) for value in self.plan.outputs]
        copies = [f"np.copyto({self.names[state]}, {self._apart(value, lines)})"
                  for state, value in self.plan.writes if value not in self.sunk]
        for state, value in self.plan.writes:
            if (sunk := self.sunk.get(value)) is not None:
                text = f"{self._call(sunk)[:-1]}, out={self.names[state]})"
                lines.append(Line(text, sunk.why, *cost(sunk)))
        lines += [Line(text, "the new value") for text in copies]
        arguments = ", ".join(self.names[value] for value in (*self.plan.inputs, *self.plan.states))
        prologue = self.constants + [
            f"_b{n} = np.empty({shape}, np.{dtype.name})" for n, (shape, dtype) in enumerate(self.buffers)]
        size = sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in self.buffers)
        answer = f"({', '.join(results)}{',' if len(results) == 1 else ''})"
        return Program(tuple(prologue), arguments, tuple(lines), answer, self.namespace, size)

    def _apart(self, value: Value, lines: list[Line]) -> str:
        """A value, copied now where it lies in an argument or in a state: those may be written to next."""
        text = self.text(value)
        if self._root(value) not in {*self.plan.inputs, *self.plan.states}:
            return text
        name = self.name(Value(value.shape, value.dtype), "kept")
        lines.append(Line(f"{name} = {text}.copy()"))
        return name

    def _returned(self, value: Value, lines: list[Line]) -> str:
        """A result, copied where it lies in a buffer, in an argument or in a state."""
        text = self._apart(value, lines)
        if text != self.text(value) or self._root(value) in self.fresh or (not value.shape and value.constant is None):
            return text
        return f"{text}.copy()"

    # --- where results lie ----------------------------------------------------------------------------------------

    def _step(self, i: int, step: Step) -> list[str]:
        if step.result is None:
            return [self._call(step)]
        if step.replaces is not None:
            return self._overwrite(i, step)
        if not isinstance(step.result, Value):
            text = self._call(step)
            names = [self.name(v, _wish(step)) for v in step.results]
            self.fresh.update(v for v in step.results if step.shares is None)
            return [f"{', '.join(names)}, = {text}"]
        result, text = step.result, self._call(step)
        where = self._place(i, step) if step.shares is None and result.shape else ""
        if step.shares is None and not where:
            self.fresh.add(result)
        if where:
            text = f"{text[:-1]}, out={where})"
        return [f"{self.name(result, _wish(step))} = {text}"]

    def _place(self, i: int, step: Step) -> str:
        """The array that the result is written into: an argument's that dies here, or a free buffer."""
        function: Any = step.function
        result = step.result
        plain = isinstance(function, np.ufunc) and function.nout == 1
        if not plain and function not in WITH_OUT and not _fills(step):
            return ""
        if plain and function.signature is None:
            for value in step.reads:
                if self._dies(value, i, step) and (value.shape, value.dtype) == (result.shape, result.dtype):
                    self._hand_over(value, result)
                    return self.names[value]
        kind = (result.shape, result.dtype)
        n = next((n for n in self.free if self.buffers[n] == kind), None)
        if n is None:
            n = len(self.buffers)
            self.buffers.append(kind)
        else:
            self.free.remove(n)
        self.held[result] = n
        return f"_b{n}"

    def _dies(self, value: Value, i: int, step: Step) -> bool:
        """Whether this call is the last to look at a value that lies in memory of ours, and looks at it as a whole."""
        ours = value in self.held or value in self.fresh  # so it is no view
        return ours and self.last[value] == i and not any(v is not value and self._root(v) is value for v in step.reads)

    def _hand_over(self, value: Value, result: Value) -> None:
        """The result lies where the value lay."""
        if value in self.held:
            self.held[result] = self.held.pop(value)
        else:
            self.fresh.add(result)

    def _release(self, i: int, step: Step) -> None:
        for value in {self._root(v) for v in (*step.reads, *step.results)}:
            if self.last[value] == i and value in self.held:
                self.free.append(self.held.pop(value))

    def _overwrite(self, i: int, step: Step) -> list[str]:
        """A write into a part of an array: into the array itself where nobody needs it as it was."""
        before, result = step.replaces, step.result
        assert before is not None
        lines = []
        name = self.name(result, _wish(step))
        views = any(view.function in MAYBE_VIEWS for view in step.path)  # which are views of arrays in C order alone
        if self._dies(before, i, step) and before not in values_in((step.args[1:], step.kwargs)) \
                and (not views or before in self.held):
            lines.append(f"{name} = {self.names[before]}")
            self._hand_over(before, result)
        else:
            lines.append(f"{name} = {self.text(before)}.copy()")
            self.fresh.add(result)
        target = Value(before.shape, before.dtype)
        self.names[target] = name
        for view in step.path:
            looked = self._call(Step(view.function, view.filled(target), view.kwargs, None))
            target = Value((), before.dtype)
            self.names[target] = looked if view.at is None else f"{looked}[{view.at}]"
        if step.function is setitem:
            lines.append(f"{self.names[target]}[{self._index(step.args[1])}] = {self.text(step.args[2])}")
        elif step.function is into:
            call = self._call(Step(step.args[1], step.args[2:], step.kwargs, None))
            lines.append(f"{call[:-1]}, out={self.names[target]})")
        else:
            lines.append(self._call(Step(step.function, (target, *step.args[1:]), step.kwargs, None)))
        return lines

    # --- how things are written -----------------------------------------------------------------------------------

    def name(self, value: Value, wish: str) -> str:
        """A name of its own for a Value."""
        wish = re.sub(r"\W", "_", value.name or wish)
        if not wish.isidentifier() or keyword.iskeyword(wish):
            wish = f"v_{wish}"
        name, n = wish, 1
        while name in self.taken:
            n += 1
            name = f"{wish}_{n}"
        self.taken.add(name)
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
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        self.namespace[name] = thing
        return name

    def _index(self, index: Any) -> str:
        if isinstance(index, tuple) and index:
            return ", ".join(map(self._index, index)) + ("," if len(index) == 1 else "")
        if isinstance(index, slice):
            ends = ["" if end is None else self.text(end) for end in (index.start, index.stop, index.step)]
            return ":".join(ends if index.step is not None else ends[:2])
        return "..." if index is Ellipsis else self.text(index)

    def _call(self, step: Step) -> str:
        function, args = step.function, step.args
        first = args[0] if args else None
        if function is getitem:
            return f"{self.text(first)}[{self._index(args[1])}]"
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
                self.taken.add("scipy")
                self.namespace["scipy"] = sys.modules["scipy"]
                return f"{prefix}.{name}"
        return self._known(function, name)


def _fills(step: Step) -> bool:
    """Whether a draw of random numbers may fill an array that is there."""
    generator = isinstance(getattr(step.function, "__self__", None), np.random.Generator)
    return generator and step.function.__name__ in ("random", "standard_normal", "standard_exponential")


def _wish(step: Step) -> str:
    """What a call's result would be called: the function's name, and for a ufunc's reduce what it comes to."""
    known = {np.add.reduce: "sum", np.multiply.reduce: "prod", np.maximum.reduce: "max", np.minimum.reduce: "min"}
    return known.get(step.function) or str(getattr(step.function, "__name__", "v"))


def _sink(plan: Plan) -> tuple[list[Step], dict[Value, Step]]:
    """Take the last call of each update out of the steps, to be made at the end, straight into the state.

    Only then is a weight written, so that an exception before leaves all of them as they were.
    """
    foreign = {*plan.inputs, *plan.states}
    root: dict[Value, Value] = {}
    for step in plan.steps:
        if step.shares is not None:
            root.update((result, root.get(step.shares, step.shares)) for result in step.results)
    reads: dict[Value, int] = {}
    for step in plan.steps:
        for value in step.reads:
            reads[value] = reads.get(value, 0) + 1
    ends = [*plan.outputs, *(value for _, value in plan.writes)]
    sunk: dict[Value, Step] = {}
    wanted = {value: state for state, value in plan.writes}
    for step in plan.steps:
        value = step.result
        if not isinstance(value, Value) or value not in wanted or reads.get(value) or ends.count(value) != 1:
            continue
        elementwise = isinstance(step.function, np.ufunc) and step.function.signature is None and not step.kwargs
        # By then other states are written, and an argument may share memory with one of them.
        if elementwise and all(root.get(v, v) not in foreign or v is wanted[value] for v in step.reads):
            sunk[value] = step
    return [step for step in plan.steps if not (isinstance(step.result, Value) and step.result in sunk)], sunk


def _is_short(array: Any) -> bool:
    return bool(array.size <= 16 or (array.dtype.kind in "biuf" and array.size and np.all(array == array.flat[0])))


def _spelled(array: Any) -> str:
    array = np.asarray(array)
    if array.size > 16:
        value = array.flat[0].item()
        kind = {0: "zeros", 1: "ones"}.get(value)
        if kind:
            return f"np.{kind}({array.shape}, np.{array.dtype.name})"
        return f"np.full({array.shape}, {value!r}, np.{array.dtype.name})"
    return f"np.array({array.tolist()!r}, np.{array.dtype.name}).reshape({array.shape})"
