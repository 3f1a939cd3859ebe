"""Source: a plan printed as straight-line Python on NumPy, with buffers that are allocated once and used again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.blocks import RUNTIME, argument_names, block_function
from tinygraph.compiler.calls import astype, copy, getitem, into, masked, setitem
from tinygraph.compiler.memory import LINE, Memory, is_elementwise
from tinygraph.compiler.plan import Chain, Plan, Step, Value, mapped, values_in
from tinygraph.compiler.program import Line, Program, cost
from tinygraph.compiler.spelling import Spelling, wish


def printed(plan: Plan) -> Program:
    """The program of a plan."""
    return _Printer(plan).program()


class _Printer:
    """Goes through the steps once, in order, and writes each."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.steps, self.sunk = _sink(plan)
        self.memory = Memory(plan, self.steps, self.sunk)
        self.spelling = Spelling()
        self.buffers: dict[tuple[int, tuple[int, ...], np.dtype[Any], tuple[int, ...]], str] = {}
        self.chains: list[str] = []
        # What lies at one place in every call, and the views of it: made once, before the step.
        self.fixed: dict[Value, str] = {}
        self.looks: dict[str, str] = {}

    def program(self) -> Program:
        for value in (*self.plan.inputs, *self.plan.states):
            self.spelling.name(value, value.name or "x")
        lines: list[Line] = []
        for step in self.steps:
            texts = self._step(step)  # none for a view that is made before the step
            lines += [Line(text, step.why) for text in texts[:-1]]
            lines += [Line(text, step.why, *cost(step)) for text in texts[-1:]]
        # Whatever lies in an argument or a state is copied before the first state is written.
        results = [self._returned(value, lines) for value in self.plan.outputs]
        copies = [f"np.copyto({self.spelling.names[state]}, {self._apart(value, lines)})"
                  for state, value in self.plan.writes if value not in self.sunk]
        names = self.spelling.names
        names.update((value, names[state]) for state, value in self.plan.writes if value in self.sunk)
        for step in {id(step): step for step in self.sunk.values()}.values():
            if isinstance(step.function, Chain):
                text = self._blocks(step)
            else:
                text = self.spelling.call(step, names[step.result])
            lines.append(Line(text, step.why, *cost(step)))
        lines += [Line(text, "the new value") for text in copies]
        arguments = ", ".join(self.spelling.names[value] for value in (*self.plan.inputs, *self.plan.states))
        prologue = [*self.spelling.constants, *self._arena(), *self.chains]
        if self.chains:
            prologue = [*RUNTIME, *([""] * 2 if prologue[0] != "" else []), *prologue]
        answer = f"({', '.join(results)}{',' if len(results) == 1 else ''})"
        return Program(tuple(prologue), arguments, tuple(lines), answer, self.spelling.namespace, self.memory.size)

    def _apart(self, value: Value, lines: list[Line]) -> str:
        """A value, copied now where it lies in an argument or in a state: those may be written to next."""
        text = self.spelling.text(value)
        if self.memory.root(value) not in {*self.plan.inputs, *self.plan.states}:
            return text
        name = self.spelling.name(Value(value.shape, value.dtype), "kept")
        lines.append(Line(f"{name} = {text}.copy()"))
        return name

    def _returned(self, value: Value, lines: list[Line]) -> str:
        """A result, copied where it lies in a buffer, in an argument or in a state."""
        text = self._apart(value, lines)
        is_number = not value.shape and value.constant is None
        if text != self.spelling.text(value) or self.memory.root(value) in self.memory.fresh or is_number:
            return text
        return f"{text}.copy()"

    def _arena(self) -> list[str]:
        """The lines that make the arena and the arrays in it."""
        if not self.buffers:
            return []
        return [f"_arena = np.empty({self.memory.size + LINE}, np.uint8)",
                f"_arena = _arena[-_arena.ctypes.data % {LINE}:]  # from where a line of the cache begins",
                *(f"{name} = {_array(shape, dtype, order, offset)}"
                  for (offset, shape, dtype, order), name in self.buffers.items()),
                *(f"{name} = {look}" for look, name in self.looks.items())]

    # --- one step -------------------------------------------------------------------------------------------------

    def _step(self, step: Step) -> list[str]:
        if step.result is None:
            return [self.spelling.call(step)]
        if step.replaces is not None:
            return self._overwrite(step)
        if isinstance(step.function, Chain):
            places = [(v, self._place(v) or f"np.empty({v.shape}, np.{v.dtype.name})") for v in step.results]
            inner = {s.result: s for s in step.function.steps}
            return [*(f"{self.spelling.name(v, wish(inner[v]))} = {place}" for v, place in places), self._blocks(step)]
        if not isinstance(step.result, Value):
            text = self.spelling.call(step)
            names = [self.spelling.name(v, wish(step)) for v in step.results]
            return [f"{', '.join(names)}, = {text}"]
        if step.shares in self.fixed and self._is_look(step):
            self.fixed[step.result] = self.spelling.names[step.result] = self._look(step)
            return []
        place, name = self._place(step.result), self.spelling.name(step.result, wish(step))
        if place and step.function in (copy, astype):
            return [f"{name} = {place}", f"{name}[...] = {self.spelling.text(step.args[0])}"]
        if step.function is masked and {step.args[1], step.result} <= self.fixed.keys():
            mask, bits, out = self.spelling.text(step.args[0]), self._bits(step.args[1]), self._bits(step.result)
            return [f"{name} = {place}", f"np.multiply({bits}, {mask}, out={out})"]
        return [f"{name} = {self.spelling.call(step, place)}"]

    def _blocks(self, step: Step) -> str:
        """The call of a chain, whose function is written before the step's."""
        name = self.spelling.name(Value((), np.dtype(bool)), "chain")
        self.chains += block_function(name, step, self.spelling, self.memory.spare[step.function])
        cut, whole = (f"({', '.join(names)},)" for names in argument_names(step, self.spelling))
        chain: Chain = step.function  # type: ignore[assignment]
        return f"in_blocks({name}, {chain.rows}, {chain.least}, {cut}{f', {whole}' if whole != '(,)' else ''})"

    def _place(self, result: Value) -> str:
        """The array that a result is written into, if any."""
        if (operand := self.memory.over.get(result)) is not None:
            if operand in self.fixed:
                self.fixed[result] = self.fixed[operand]
            return self.spelling.names[operand]
        if (buffer := self.memory.buffers.get(result)) is None:
            return ""
        key = buffer.offset, buffer.shape, buffer.dtype, buffer.order
        self.fixed[result] = self.buffers.setdefault(key, f"_b{len(self.buffers)}")
        return self.fixed[result]

    def _is_look(self, step: Step) -> bool:
        """Whether a call gives a view, wherever its argument lies in the arena."""
        if any(True for _ in values_in((step.args[1:], step.kwargs))):
            return False
        if step.function is np.reshape:
            assert step.shares is not None
            return any(name == self.fixed[step.shares] and not order for (*_, order), name in self.buffers.items())
        return step.function in (getitem, np.swapaxes, np.transpose, np.expand_dims)

    def _look(self, step: Step) -> str:
        """The name of a view of what is always in one place."""
        seen: Any = step.shares
        there = Value(seen.shape, seen.dtype)
        self.spelling.names[there] = self.fixed[seen]
        text = self.spelling.call(replace(step, args=mapped(step.args, lambda x: there if x is seen else x)))
        wished = f"{self.spelling.names[seen].removesuffix('_view')}_{'T' if text.endswith('.T') else 'view'}"
        return self._named(text, wished)

    def _bits(self, value: Value) -> str:
        """The name of a view of a value as integers."""
        return self._named(f"{self.fixed[value]}.view(np.int{8 * value.dtype.itemsize})", f"{self.fixed[value]}_bits")

    def _named(self, look: str, wished: str) -> str:
        if look not in self.looks:
            self.looks[look] = self.spelling.name(Value((), np.dtype(bool)), wished.lstrip("_"))
        return self.looks[look]

    def _overwrite(self, step: Step) -> list[str]:
        """A write into a part of an array: into the array itself where nobody needs it as it was."""
        before, result = step.replaces, step.result
        assert before is not None
        lines = []
        name = self.spelling.name(result, wish(step))
        lies_there = result in self.memory.over
        lines.append(f"{name} = {self.spelling.text(before)}{'' if lies_there else '.copy()'}")
        spelling = self.spelling
        target = Value(before.shape, before.dtype)
        spelling.names[target] = name
        for view in step.path:
            looked = spelling.call(Step(view.function, view.filled(target), view.kwargs, None))
            target = Value((), before.dtype)
            spelling.names[target] = looked if view.at is None else f"{looked}[{view.at}]"
        if step.function is setitem:
            lines.append(f"{spelling.names[target]}[{spelling.index(step.args[1])}] = {spelling.text(step.args[2])}")
        elif step.function is into:
            lines.append(spelling.call(Step(step.args[1], step.args[2:], step.kwargs, None), spelling.names[target]))
        else:
            lines.append(spelling.call(Step(step.function, (target, *step.args[1:]), step.kwargs, None)))
        return lines


def _array(shape: tuple[int, ...], dtype: np.dtype[Any], order: tuple[int, ...], offset: int) -> str:
    """An array at a place of the arena, whose axes lie in a given order."""
    lying = tuple(shape[axis] for axis in order) or shape
    turned = f".transpose({tuple(order.index(axis) for axis in range(len(order)))})" if order else ""
    return f"np.ndarray({lying}, np.{dtype.name}, _arena, {offset}){turned}"


def _sink(plan: Plan) -> tuple[list[Step], dict[Value, Step]]:
    """Take the last call of each update out of the steps, to be made at the end, straight into the state.

    Only then is a weight written, so that an exception before leaves all of them as they were.
    """
    written = {state for state, _ in plan.writes}
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
        if not step.results or any(v not in wanted or ends.count(v) != 1 for v in step.results):
            continue
        if isinstance(step.function, Chain):
            overwritten = {wanted[v]: v for v in step.results}
            safe = all(v in overwritten and step.function.may_overwrite(v, overwritten[v])
                       for v in step.reads if root.get(v, v) in written)
        else:
            # By then other states are written. An argument shares memory with none of them: that was looked at.
            safe = is_elementwise(step) and not step.kwargs and all(
                root.get(v, v) not in written or v is wanted[step.result] for v in step.reads)
        if safe and not any(reads.get(v) for v in step.results):
            sunk.update((value, step) for value in step.results)
    return [step for step in plan.steps if not any(v in sunk for v in step.results)], sunk
