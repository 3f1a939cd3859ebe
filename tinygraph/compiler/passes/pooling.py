"""What grows with its argument, after max-pool: on as many elements fewer as a window has.

The largest of what relu gives is relu of the largest; and so for adding a channel's bias, which is the same throughout
a window. Rounding keeps order, so the values are the same bit for bit.

The same holds backward. The gradient reaches an element x where it is its window's largest, which is asked before
adding the bias as well as after (but for two that only rounding makes equal). With m the largest and Y = max(m, 0) it
reaches x through relu where max(x, 0) = Y and x > 0; that is where Y > 0 and x = m. How many elements tie is the same,
wherever Y > 0.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tinygraph.compiler.calls import getitem
from tinygraph.compiler.memory import is_elementwise
from tinygraph.compiler.passes.rewriting import makers, substituted
from tinygraph.compiler.passes.simplify import dead_code
from tinygraph.compiler.plan import Plan, Step, Value

REARRANGING = {getitem, np.reshape, np.transpose, np.swapaxes, np.expand_dims}
"""Functions that give elements of their first argument in another arrangement."""


class _Pool(NamedTuple):
    """A call that is followed by a max-pool, and what of their gradients changes with them."""

    call: Step  # relu, or a bias that is added
    largest: list[Step]  # np.maximum after np.maximum, until one value a window is left
    equal: Step | None = None  # backward: where an element is its window's largest
    where: Step | None = None  # the gradient of relu: np.where(x > 0, ..., 0)
    shared: Step | None = None  # each window's gradient, divided by how many elements tie


class _Back(NamedTuple):
    """The gradient of a max-pool."""

    product: Step  # np.multiply: where an element is the largest, by its window's share
    share: Value
    shared: Step


def growing_after_pool(plan: Plan) -> Plan:
    """Do with each window's largest what was done with every element before: relu, then the bias before that."""
    for kind in (_is_relu, _is_bias):
        match = _Match(plan)
        while (pool := next(filter(None, map(match.found, filter(kind, plan.steps))), None)) is not None:
            plan = dead_code(_exchanged(plan, pool))
            match = _Match(plan)
    return plan


def _is_relu(step: Step) -> bool:
    plain = step.function is np.maximum and not step.kwargs
    return plain and isinstance(step.args[0], Value) and _is_zero(step.args[1])


def _is_bias(step: Step) -> bool:
    return step.function is np.add and not step.kwargs and all(isinstance(v, Value) for v in step.args) and \
        step.args[0].dtype == step.result.dtype and step.args[0].shape == step.result.shape and \
        step.args[1].shape == step.result.shape[-1:]


def _is_zero(x: Any) -> bool:
    if isinstance(x, Value):
        x = x.constant
    return np.shape(x) == () and isinstance(x, int | float | np.ndarray | np.generic) and bool(x == 0)


class _Match:
    """Looks for the pattern in a plan. Whatever is otherwise than expected, nothing is found."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.made = plan, makers(plan)
        self.users: dict[Value, list[Step]] = defaultdict(list)
        self.place = {id(step): i for i, step in enumerate(plan.steps)}
        for step in plan.steps:
            for value in dict.fromkeys(step.reads):
                self.users[value].append(step)

    def found(self, call: Step) -> _Pool | None:
        """The pattern that begins with this call."""
        views, users = self.arranged(call.result)
        largest = [step for step in users if step.function is np.maximum]
        others = [step for step in users if step not in largest]
        if views is None or not self.is_chain(largest, views):
            return None
        y = largest[-1].result
        taken = [v for step in largest for v in step.args if v in views]
        if call.function is np.add and not all(self.adds_alike(call, v, y, y) for v in taken):
            return None
        if not others:
            return _Pool(call, largest)
        if len(others) != 1 or others[0].function is not np.equal or others[0].args[0] not in views:
            return None
        here, window = others[0].args
        if call.function is np.add:
            return _Pool(call, largest, others[0]) if self.adds_alike(call, here, window, y) else None
        return self.through_relu(call, largest, others[0])

    def adds_alike(self, call: Step, here: Value, window: Value, y: Value) -> bool:
        """Whether the same is added to an element, as ``here`` arranges them, as to its window's largest."""
        channels = np.arange(call.result.shape[-1])
        if y.shape[-1:] != channels.shape:
            return False
        elements = self.look(here, call.result, np.broadcast_to(channels, call.result.shape))
        windows = self.look(window, y, np.broadcast_to(channels, y.shape))
        return elements is not None and windows is not None and bool(np.all(elements == windows))

    def through_relu(self, relu: Step, largest: list[Step], equal: Step) -> _Pool | None:
        """The pattern with the gradient of max-pool and then that of relu."""
        x, r, y = relu.args[0], relu.result, largest[-1].result
        here, window = equal.args
        back = self.product(equal.result)
        if back is None or here.shape != back.product.result.shape:
            return None
        product, share, shared = back
        where = self.gradient(product.result, x)
        aligned = (shared.result.shape == y.shape and where is not None
                   and _equal(self.look(window, y, _numbers(y)), self.look(share, shared.result, _numbers(y)))
                   and _equal(self.look(where.args[1], product.result, self.look(here, r, _numbers(r))), _numbers(x)))
        return _Pool(relu, largest, equal, where, shared) if aligned else None

    def arranged(self, value: Value) -> tuple[set[Value] | None, list[Step]]:
        """A value in all its arrangements (None if one is returned), and the calls that do something else with them."""
        values, users = {value}, []
        stack = [value]
        while stack:
            for step in self.users[stack.pop()]:
                if step.function in REARRANGING and len(step.reads) == 1 and step.replaces is None:
                    values.add(step.result)
                    stack.append(step.result)
                elif step not in users:
                    users.append(step)
        users.sort(key=lambda step: self.place[id(step)])
        return None if self.plan.ends & values else values, users

    def is_chain(self, largest: list[Step], views: set[Value]) -> bool:
        """Whether these calls take one view after the other into one running maximum, which nothing else looks at."""
        if not largest or not all(v in views for v in largest[0].args):
            return False
        for one, after in pairwise(largest):
            so_far = one.result
            rest = [v for v in after.args if v is not so_far]
            if self.users[so_far] != [after] or so_far in self.plan.ends or len(rest) != 1 or rest[0] not in views:
                return False
        return not any(step.kwargs for step in largest)

    def product(self, found: Value) -> _Back | None:
        """The product with what each window has for each of its largest, whose number is counted beside it."""
        views, users = self.arranged(found)
        products = [step for step in users if step.function is np.multiply and not step.kwargs]
        if views is None or len(products) != 1:
            return None
        counts = [step for step in users if step is not products[0]]
        shared: Step | None = None
        for step in counts:  # grows while it is walked
            if not is_elementwise(step):
                return None
            if step.function is np.divide:
                shared = step if shared is None else None
                continue
            more, after = self.arranged(step.result)
            if more is None:
                return None
            counts += [s for s in after if s not in counts]
        if shared is None:
            return None
        shares, after = self.arranged(shared.result)
        share = [v for v in products[0].args if v not in views]
        if shares is None or after != products or len(share) != 1 or share[0] not in shares:
            return None
        return _Back(products[0], share[0], shared)

    def gradient(self, product: Value, x: Value) -> Step | None:
        """The gradient of relu: np.where(x > 0, the product as it is arranged, 0)."""
        views, users = self.arranged(product)
        if views is None or len(users) != 1 or users[0].function is not np.where or len(users[0].args) != 3:
            return None
        condition, value, zero = users[0].args
        greater = self.made.get(condition)
        if greater is None or greater.function is not np.greater or greater.args[0] is not x:
            return None
        return users[0] if value in views and _is_zero(greater.args[1]) and _is_zero(zero) else None

    def look(self, value: Value, base: Value, array: Any) -> Any:
        """An array arranged as the value is of its base; None where it is no arrangement."""
        path = self.path(value, base)
        for step in path or []:
            array = step.function(array, *step.args[1:], **step.kwargs)
        return None if path is None else array

    def path(self, value: Value, base: Value) -> list[Step] | None:
        """The calls that arrange the base as the value is."""
        path: list[Step] = []
        while value is not base:
            step = self.made.get(value)
            if step is None or step.function not in REARRANGING:
                return None
            path.insert(0, step)
            value = step.args[0]
        return path


def _numbers(value: Value) -> Any:
    """A number of its own for each element."""
    return np.arange(int(np.prod(value.shape))).reshape(value.shape)


def _equal(a: Any, b: Any) -> bool:
    return a is not None and b is not None and np.array_equal(a, b)


def _exchanged(plan: Plan, pool: _Pool) -> Plan:
    """The plan with the call behind the maximum, forward and backward."""
    x, other = pool.call.args
    y = pool.largest[-1].result
    bare = Value(y.shape, y.dtype)
    window = None if pool.equal is None else _Match(plan).path(pool.equal.args[1], y)
    new: dict[Value, Value] = {pool.call.result: x}
    steps: list[Step] = []
    for step in plan.steps:
        given = substituted(step, new)
        if step is pool.call:
            continue
        if step is pool.largest[-1]:
            steps += [replace(given, result=bare), Step(pool.call.function, (bare, other), {}, y, pool.call.why)]
        elif step is pool.where:
            new[step.result] = given.args[1]
        elif step is pool.equal:
            last = bare
            for view in window or []:
                steps.append(replace(view, args=(last, *view.args[1:]), result=Value(
                    view.result.shape, view.result.dtype), shares=last))
                last = steps[-1].result
            steps.append(replace(given, args=(given.args[0], last)))
        elif pool.where is not None and step is pool.shared:
            positive, masked = Value(y.shape, np.dtype(bool)), Value(y.shape, step.result.dtype)
            steps += [given, Step(np.greater, (y, other), {}, positive, pool.where.why),
                      Step(np.multiply, (step.result, positive), {}, masked, pool.where.why)]
            new[step.result] = masked
        else:
            steps.append(given)
    return plan.renamed(steps, new)
