"""A pass that multiplies early, where there is little to multiply: the loss's derivative, and not each weight's."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinygraph.compiler.calls import getitem
from tinygraph.compiler.passes.algebra import FLOATS
from tinygraph.compiler.passes.rewriting import in_order, key, makers, substituted, users
from tinygraph.compiler.plan import Plan, Step, Value

LOOKS = {getitem, np.reshape, np.transpose, np.swapaxes, np.expand_dims}
"""Functions that show the elements of an array elsewhere."""


def factors(plan: Plan) -> Plan:
    """A factor on the result of a product goes to the smaller of what is multiplied, and on to where that comes from.

    s (A @ B) is A @ (s B). It rounds in another order.
    """
    made = makers(plan)
    for factor in dict.fromkeys(key(f[0]) for step in plan.steps if (f := _factor_and_array(step)) is not None
                                and f[1] in made and _linear_in(made[f[1]])):
        plan = _Factor(plan, factor).moved()
    return plan


@dataclass
class _Factor:
    """One factor, and how far it can be moved up a plan.

    Attributes:
        factor: Its key.
        moves: For a linear step, by its result: the argument that takes the factor over.
    """

    plan: Plan
    factor: Any
    moves: dict[Value, Value] = field(default_factory=dict)

    def moved(self) -> Plan:
        """The plan with the factor where it is cheapest."""
        while True:  # a product whose argument turns out to be scaled for another one takes the factor for nothing
            known = len(self.moves)
            self._look()
            if len(self.moves) == known:
                return self._rewritten() if known else self.plan

    def _look(self) -> None:
        """Find what is looked at with the factor alone, from the end to the beginning, and who can take it over."""
        looking = users(self.plan)
        ends, made = self.plan.ends, _computed(self.plan)
        scaled = set(self.moves.values())
        for step in reversed(self.plan.steps):
            result = step.result
            if not isinstance(result, Value) or result in ends or result not in looking or result in self.moves:
                continue
            if all(self._is_scaled(result, user) for user in looking[result]):
                operands = [v for v in _linear_in(step) if v in made and v.dtype == result.dtype]
                free = [v for v in operands
                        if v in scaled or v.size < result.size or step.function is not np.matmul]
                if free:
                    self.moves[result] = min(free, key=lambda v: (v not in scaled, v.size))
                    scaled.add(self.moves[result])

    def _is_scaled(self, value: Value, user: Step) -> bool:
        """Whether this call looks at a value with the factor alone, or hands the factor on to it."""
        if isinstance(user.result, Value) and user.result in self.moves:
            return self.moves[user.result] is value and user.reads.count(value) == 1
        return self._applied_to(user) is value

    def _applied_to(self, step: Step) -> Value | None:
        """The array that a call multiplies by the factor."""
        found = _factor_and_array(step)
        return found[1] if found is not None and key(found[0]) == self.factor else None

    def _rewritten(self) -> Plan:
        factor = next(f[0] for step in self.plan.steps if self._applied_to(step) is not None
                      if (f := _factor_and_array(step)) is not None)
        scaled: dict[Value, Value] = {}
        new: dict[Value, Value] = {}
        steps: list[Step] = []

        def with_factor(value: Value, why: str) -> Value:
            if value not in scaled:
                scaled[value] = Value(value.shape, value.dtype)
                steps.append(Step(np.multiply, (factor, value), {}, scaled[value], why))
            return scaled[value]

        for step in self.plan.steps:
            taken = self.moves.get(step.result) if isinstance(step.result, Value) else None
            if taken is not None:
                scaled[step.result] = Value(step.result.shape, step.result.dtype)
                inner = substituted(step, {taken: with_factor(taken, step.why)})
                steps.append(replace(inner, result=scaled[step.result]))
            elif (value := self._applied_to(step)) in scaled or value in self.moves.values():
                new[step.result] = with_factor(value, step.why)  # type: ignore[arg-type]
            else:
                steps.append(step)
        steps = [substituted(step, new) for step in steps]
        return self.plan.renamed(in_order(steps), new)


def _factor_and_array(step: Step) -> tuple[Any, Value] | None:
    """A number, or an array without axes, and the array of floats that it is multiplied with."""
    if step.function is not np.multiply or step.kwargs or len(step.args) != 2:
        return None
    for factor, array in (step.args, step.args[::-1]):
        single = isinstance(factor, int | float | np.number) or (isinstance(factor, Value) and factor.shape == ())
        if single and isinstance(array, Value) and array.shape and array.dtype in FLOATS \
                and step.result.dtype == array.dtype:
            return factor, array
    return None


def _linear_in(step: Step) -> tuple[Value, ...]:
    """The arguments that a call is linear in, each alone."""
    if step.function in LOOKS and step.shares is step.args[0] and len(step.reads) == 1:
        return (step.shares,)
    if step.kwargs or not all(isinstance(x, Value) for x in step.args[:2]):
        return ()
    if step.function is np.matmul and len(step.args) == 2:
        return step.args
    if step.function is np.where and len(step.args) == 3 and step.args[2] in (0, 0.0) \
            and not isinstance(step.args[2], Value) and step.args[1].shape == step.result.shape:
        return (step.args[1],)
    return ()


def _computed(plan: Plan) -> set[Value]:
    """What a plan computes: no constant, no argument and no state, nor a view of one."""
    made: set[Value] = set()
    for step in plan.steps:
        if step.shares is None or step.shares in made:
            made.update(step.results)
    return made
