"""A profile in the trace event format: complete events ("X") for the nodes, a counter ("C") for live memory.

The format is that of "Trace Event Format" (Google, 2016), which Perfetto and chrome://tracing read. Times are in µs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygraph.ask.profile.costs import NodeCost
from tinygraph.ask.profile.memory import Moment

PROCESS, FORWARD, BACKWARD = 1, 1, 2

GAP = 0.2
"""The time (µs) given to what is not timed, the keeping of a leaf's gradient, so that its peak can be seen."""


def trace(nodes: Sequence[NodeCost], memory: Sequence[Moment]) -> dict[str, Any]:
    """The events: forward and backward are two rows, one after the other in time, memory is a curve below."""
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": PROCESS, "tid": 0, "args": {"name": "tinygraph"}},
        {"name": "thread_name", "ph": "M", "pid": PROCESS, "tid": FORWARD, "args": {"name": "forward"}},
        {"name": "thread_name", "ph": "M", "pid": PROCESS, "tid": BACKWARD, "args": {"name": "backward"}},
    ]
    costs = {node.id: node for node in nodes}
    clock = 0.0
    for moment in memory:
        cost, duration = costs.get(moment.node), GAP
        if cost is not None:
            row, time = (FORWARD, cost.forward) if moment.phase == "forward" else (BACKWARD, cost.backward)
            duration = time.median * 1e6
            events.append(_complete(cost, moment.phase, row, clock, duration))
        if moment.peak > moment.bytes:
            events.append(_counter(clock + duration / 2, moment.peak))
        clock += duration
        events.append(_counter(clock, moment.bytes))
    return {"traceEvents": events, "displayTimeUnit": "ns"}


def _complete(cost: NodeCost, phase: str, row: int, begin: float, duration: float) -> dict[str, Any]:
    args = {"node": cost.id, "shape": cost.shape, "FLOPs": cost.flops, "kept bytes": cost.kept}
    if cost.name:
        args["name"] = cost.name
    if cost.location:
        args["made at"] = f"{cost.location[0]}:{cost.location[1]} ({cost.location[2]})"
    return {"name": cost.op, "cat": phase, "ph": "X", "ts": begin, "dur": duration, "pid": PROCESS, "tid": row,
            "args": args}


def _counter(at: float, size: int) -> dict[str, Any]:
    return {"name": "live memory", "ph": "C", "ts": at, "pid": PROCESS, "tid": 0, "args": {"bytes": size}}
