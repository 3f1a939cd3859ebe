"""Chains of elementwise calls on large arrays, gathered so that they run block by block in the processor's cache."""

from __future__ import annotations

from collections import defaultdict
from heapq import heappop, heappush
from typing import Any

import numpy as np

from tinygraph.compiler.calls import astype
from tinygraph.compiler.memory import is_elementwise
from tinygraph.compiler.plan import Chain, Plan, Step, Value

LARGE = 1 << 19
"""An array smaller than this stays in the second level of the cache anyway (bytes)."""

CACHE = 1 << 19
"""What the blocks of all of a chain's arrays may take up together (bytes): half of a usual second level."""

BLOCK = 1 << 14, 1 << 18
"""The smallest block of one array, which hides what calls cost, and the largest (bytes)."""

THREAD = 1 << 23
"""How many elements a thread must make to be started: about 2 ms. BLAS's own threads, which wait awake for their next
product, are in its way for as long as 1 ms."""


def chains(plan: Plan) -> Plan:
    """Gather neighbouring elementwise calls of one large shape into chains; everything else keeps its order."""
    shapes = {i: shape for i, step in enumerate(plan.steps) if (shape := _large(step)) is not None}
    if len(shapes) < 2:
        return plan
    steps: list[Step] = []
    used = _uses(plan)
    for group in _groups(plan, shapes):
        if group[0] not in shapes:
            steps.append(plan.steps[group[0]])
            continue
        for part in _connected([plan.steps[i] for i in group]):
            steps += [_chain(part, used)] if len(part) > 1 else part
    return plan.with_steps(steps)


def _large(step: Step) -> tuple[int, ...] | None:
    """The shape of a call that can be part of a chain."""
    result = step.result
    elementwise = is_elementwise(step) or step.function is astype or (step.function is np.where and len(step.args) == 3)
    if not elementwise or step.kwargs or not isinstance(result, Value) or not result.shape:
        return None
    sizes = [x.nbytes for x in step.args if isinstance(x, Value) and x.shape == result.shape]
    largest = max(*sizes, result.nbytes) if sizes else 0
    return result.shape if largest >= LARGE and largest // result.shape[0] <= BLOCK[0] else None


def _groups(plan: Plan, shapes: dict[int, tuple[int, ...]]) -> list[list[int]]:
    """The places of the steps in an order in which they can run: one alone, or large ones of one shape together."""
    maker = {value: i for i, step in enumerate(plan.steps) for value in step.results}
    waits = [0] * len(plan.steps)
    users: dict[int, list[int]] = defaultdict(list)
    effect = None
    for i, step in enumerate(plan.steps):
        before = {maker[value] for value in step.reads if value in maker}
        if step.effect:  # draws of random numbers keep their order
            before |= {effect} if effect is not None else set()
            effect = i
        waits[i] = len(before)
        for j in before:
            users[j].append(i)
    ready: dict[Any, list[int]] = defaultdict(list)  # None: what is in no chain
    for i, n in enumerate(waits):
        if n == 0:
            ready[shapes.get(i)].append(i)
    groups: list[list[int]] = []

    def done(i: int) -> None:
        for j in users[i]:
            waits[j] -= 1
            if waits[j] == 0:
                heappush(ready[shapes.get(j)], j)

    while any(ready.values()):
        # What is in no chain goes first, so that a chain finds as much as it can.
        shape = None if ready[None] else min((s for s in ready if ready[s]), key=lambda s: ready[s][0])
        group = []
        while ready[shape]:
            group.append(heappop(ready[shape]))
            done(group[-1])
            if shape is None:
                break
        groups.append(group)
    return groups


def _uses(plan: Plan) -> dict[Value, int]:
    """How often each Value is looked at, its return or its writing back among that."""
    used: dict[Value, int] = defaultdict(int)
    for value in (*(v for step in plan.steps for v in step.reads), *plan.outputs, *(v for _, v in plan.writes)):
        used[value] += 1
    return used


def _connected(steps: list[Step]) -> list[list[Step]]:
    """The steps in parts that share no array: their blocks would only take each other's place in the cache."""
    parts: list[tuple[set[Value], list[int]]] = []
    for n, step in enumerate(steps):
        arrays = {v for v in (*step.reads, step.result) if v.shape == step.result.shape}
        places = [n]
        for part in [p for p in parts if p[0] & arrays]:
            parts.remove(part)
            arrays |= part[0]
            places += part[1]
        parts.append((arrays, places))
    return [[steps[n] for n in sorted(places)] for _, places in sorted(parts, key=lambda p: min(p[1]))]


def _chain(steps: list[Step], used: dict[Value, int]) -> Step:
    """The steps as one, which gives what is looked at outside of them."""
    inside: dict[Value, int] = defaultdict(int)
    for step in steps:
        for value in step.reads:
            inside[value] += 1
    made = [step.result for step in steps]
    given = list(dict.fromkeys(v for step in steps for v in step.reads if v not in set(made)))
    results = tuple(v for v in made if used[v] > inside[v])
    shape = made[0].shape
    cut = frozenset(v for v in given if v.shape and len(v.shape) == len(shape) and v.shape[0] == shape[0])
    row = max(v.nbytes for v in made) // shape[0]
    block = min(max(CACHE // (len(cut) + len(results) + 2), BLOCK[0]), BLOCK[1])
    rows = max(block // row, 1)
    rows -= rows % 64 if rows > 64 else 0  # blocks begin where lines of the cache do
    least = max(THREAD * shape[0] // (len(steps) * int(np.prod(shape))), rows)
    chain = Chain(tuple(steps), tuple(given), results, rows, least, cut)
    return Step(chain, tuple(given), {}, results, _whys(steps))


def _whys(steps: list[Step]) -> str:
    """Where a chain comes from: its first and its last call."""
    first, last = steps[0].why, steps[-1].why
    return first if first == last else f"{first} to {last}"
