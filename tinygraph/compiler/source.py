"""Source: a plan printed as straight-line Python on NumPy, with buffers that are allocated once and used again."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.compiler.plan import Plan, Step, Value
from tinygraph.compiler.program import Line, Program, cost
from tinygraph.compiler.record import setitem
from tinygraph.compiler.spelling import Spelling

WITH_OUT = {np.sum, np.max, np.min, np.mean, np.prod, np.add.reduce, np.multiply.reduce, np.maximum.reduce,
            np.minimum.reduce}
"""Reductions that take ``out=``; ufuncs do anyway."""


def printed(plan: Plan) -> Program:
    """The program of a plan."""
    return _Printer(plan).program()


class _Printer:
    """Goes through the steps once, in order, and decides where each result lies."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.steps, self.sunk = _sink(plan)
        self.spelling = Spelling()
        self.buffers: list[tuple[tuple[int, ...], np.dtype[Any]]] = []
        self.free: list[int] = []
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
            self.spelling.name(value, value.name or "x")
        lines: list[Line] = []
        for i, step in enumerate(self.steps):
            lines += [Line(text, step.why, *cost(step)) for text in self._step(i, step)]
            self._release(i, step)
        # Whatever lies in an argument or a state is copied before the first state is written.
        results = [self._returned(value, lines) for value in self.plan.outputs]
        copies = [f"np.copyto({self.spelling.names[state]}, {self._apart(value, lines)})"
                  for state, value in self.plan.writes if value not in self.sunk]
        for state, value in self.plan.writes:
            if (sunk := self.sunk.get(value)) is not None:
                text = f"{self.spelling.call(sunk)[:-1]}, out={self.spelling.names[state]})"
                lines.append(Line(text, sunk.why, *cost(sunk)))
        lines += [Line(text, "the new value") for text in copies]
        arguments = ", ".join(self.spelling.names[value] for value in (*self.plan.inputs, *self.plan.states))
        prologue = self.spelling.constants + [
            f"_b{n} = np.empty({shape}, np.{dtype.name})" for n, (shape, dtype) in enumerate(self.buffers)]
        size = sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in self.buffers)
        answer = f"({', '.join(results)}{',' if len(results) == 1 else ''})"
        return Program(tuple(prologue), arguments, tuple(lines), answer, self.spelling.namespace, size)

    def _apart(self, value: Value, lines: list[Line]) -> str:
        """A value, copied now where it lies in an argument or in a state: those may be written to next."""
        text = self.spelling.text(value)
        if self._root(value) not in {*self.plan.inputs, *self.plan.states}:
            return text
        name = self.spelling.name(Value(value.shape, value.dtype), "kept")
        lines.append(Line(f"{name} = {text}.copy()"))
        return name

    def _returned(self, value: Value, lines: list[Line]) -> str:
        """A result, copied where it lies in a buffer, in an argument or in a state."""
        text = self._apart(value, lines)
        is_number = not value.shape and value.constant is None
        if text != self.spelling.text(value) or self._root(value) in self.fresh or is_number:
            return text
        return f"{text}.copy()"

    # --- where results lie ----------------------------------------------------------------------------------------

    def _step(self, i: int, step: Step) -> list[str]:
        if step.result is None:
            return [self.spelling.call(step)]
        if step.replaces is not None:
            return self._overwrite(i, step)
        if not isinstance(step.result, Value):
            text = self.spelling.call(step)
            names = [self.spelling.name(v, _wish(step)) for v in step.results]
            self.fresh.update(v for v in step.results if step.shares is None)
            return [f"{', '.join(names)}, = {text}"]
        result, text = step.result, self.spelling.call(step)
        where = self._place(i, step) if step.shares is None and result.shape else ""
        if step.shares is None and not where:
            self.fresh.add(result)
        if where:
            text = f"{text[:-1]}, out={where})"
        return [f"{self.spelling.name(result, _wish(step))} = {text}"]

    def _place(self, i: int, step: Step) -> str:
        """The array that the result is written into: an argument's that dies here, or a free buffer."""
        function: Any = step.function
        result = step.result
        plain = isinstance(function, np.ufunc) and function.nout == 1
        if not plain and function not in WITH_OUT:
            return ""
        if plain and function.signature is None:
            for value in step.reads:
                if self._dies(value, i, step) and (value.shape, value.dtype) == (result.shape, result.dtype):
                    self._hand_over(value, result)
                    return self.spelling.names[value]
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
        name = self.spelling.name(result, _wish(step))
        if self._dies(before, i, step):
            lines.append(f"{name} = {self.spelling.names[before]}")
            self._hand_over(before, result)
        else:
            lines.append(f"{name} = {self.spelling.text(before)}.copy()")
            self.fresh.add(result)
        index, v = step.args[1], self.spelling.text(step.args[2])
        if step.function is setitem:
            lines.append(f"{name}[{self.spelling.index(index)}] = {v}")
        else:
            lines.append(f"np.add.at({name}, {self.spelling.text(index)}, {v})")
        return lines


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
