"""What `profile` gives: the costs of each node and op, the curve of live memory, and the ways to look at them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tinygraph.analysis import Graph, one_line
from tinygraph.ask.profile.clock import Duration, time_nodes
from tinygraph.ask.profile.costs import NodeCost, OpTotal
from tinygraph.ask.profile.memory import Moment, live_memory
from tinygraph.ask.report import Report, asked
from tinygraph.core.arguments import Array, Handle
from tinygraph.core.errors import ArgumentError, UnsupportedError
from tinygraph.core.files import write_whole
from tinygraph.core.messages import here

ROWS = 30
"""A longer table of nodes shows the costliest."""


@dataclass(frozen=True)
class Profile(Report):
    """Where a step's time and memory go. Printing shows tables; ``save`` writes a picture or a trace.

    Attributes:
        graph: What was measured.
        nodes: The cost of each op's node, in the order of the forward pass.
        memory: The curve of live memory, computed from what the graph keeps alive.
        step: The whole of forward and backward as the engine runs it, or None where only a finished loss was given.
    """

    graph: Graph
    nodes: tuple[NodeCost, ...]
    memory: tuple[Moment, ...]
    step: Duration | None

    measure: ClassVar[str] = "time (µs)"

    @property
    def by_node(self) -> dict[int, float]:
        """The time of each op, forward and backward."""
        return {node.id: round(1e6 * node.seconds, 3) for node in self.nodes}

    @property
    def notes(self) -> dict[int, str]:
        """Where most memory is live."""
        return {self.peak.node: f"most memory is live here, in {self.peak.phase}: {_size(self.peak.peak)}"} \
            if self.peak.node >= 0 else {}

    @property
    def ops(self) -> tuple[OpTotal, ...]:
        """The costs by op, the costliest first."""
        groups: dict[str, list[NodeCost]] = defaultdict(list)
        for node in self.nodes:
            groups[node.op].append(node)
        totals = [OpTotal(op, len(group), sum(n.forward.median for n in group), sum(n.backward.median for n in group),
                          sum(n.flops for n in group), sum(n.kept for n in group)) for op, group in groups.items()]
        return tuple(sorted(totals, key=lambda total: -(total.forward + total.backward)))

    @property
    def peak(self) -> Moment:
        """The moment at which most memory is live."""
        return max(self.memory, key=lambda moment: moment.peak)

    def what(self, moment: Moment) -> str:
        """What ran at a moment, in words."""
        if moment.node < 0:
            return "the start"
        node = self.graph[moment.node]
        return node.op or f"the gradient of {one_line(node.name or 'a leaf')}"

    @property
    def kept(self) -> int:
        """What the values of all ops keep for backward, beside the leaves and the data (bytes)."""
        return sum(node.kept for node in self.nodes)

    def __str__(self) -> str:
        return _text(self)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain data: numbers, strings, lists, dicts."""
        whole = None if self.step is None else self.step.median
        return {
            "step_seconds": whole, "flops": sum(n.flops for n in self.nodes), "kept_bytes": self.kept,
            "peak_bytes": self.peak.peak,
            "nodes": [{"id": n.id, "op": n.op, "name": n.name, "shape": n.shape, "forward_seconds": n.forward.median,
                       "backward_seconds": n.backward.median, "flops": n.flops, "kept_bytes": n.kept,
                       "location": _place(n.location)} for n in self.nodes],
            "ops": [{"op": o.op, "calls": o.calls, "forward_seconds": o.forward, "backward_seconds": o.backward,
                     "flops": o.flops, "kept_bytes": o.kept} for o in self.ops],
            "memory": [moment._asdict() for moment in self.memory]}

    def trace(self) -> dict[str, Any]:
        """The step in the trace event format of Chrome, which Perfetto and chrome://tracing open."""
        from tinygraph.ask.profile.trace import trace
        return trace(self.nodes, self.memory)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trace (.json) or the picture (.svg, .png, .pdf); the folder is made where it is missing.

        Raises ArgumentError for another ending, MissingDependencyError for a picture without matplotlib.

        >>> import json, pathlib, tempfile
        >>> import tinygraph as tg
        >>> x = tg.tensor([1.0, 2.0], requires_grad=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "step.json")
        ...     tg.profile(lambda: (x * x).sum()).save(path)
        ...     len(json.loads(path.read_text())["traceEvents"]) > 4
        True
        """
        target = Path(path)
        ending = target.suffix.lower()
        if ending == ".json":
            import json
            content = json.dumps(self.trace(), indent=1).encode()
        elif ending in (".svg", ".png", ".pdf"):
            from tinygraph.ask.profile.picture import picture
            content = picture(self.ops, self.memory, self.what, ending[1:])
        else:
            raise ArgumentError(f"profile: {target.name!r} should end in .json for a trace, or in .svg, .png or .pdf "
                                f"for a picture{here()}")
        write_whole(target, content)


def profile(step: Handle | Graph | Callable[[], Any], rounds: int = 5, *, seed: Array | None = None,
            retain_graph: bool = True) -> Profile:
    """Measure each node of a step: its time forward and backward, its FLOPs, the bytes it keeps, and live memory.

    Each op is timed by running it again on its recorded values, and its rules in a sweep back; no ``grad`` changes. The
    curve of live memory is computed from what the graph keeps alive, see `tinygraph.ask.profile.memory`.

    Args:
        step: A function of no arguments that computes the loss; or a loss, or its graph, measured as it is.
        rounds: How many times everything is timed; the table shows medians.
        seed: The loss's cotangent, where it is no single number.
        retain_graph: Whether the curve is that of a backward pass that keeps the graph, as backward does unless told.

    >>> import tinygraph as tg
    >>> w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="w")
    >>> found = tg.profile(lambda: tg.tanh(w @ w).sum())
    >>> [(node.op, node.flops, node.kept) for node in found.nodes]
    [('matmul', 16, 32), ('tanh', 4, 32), ('sum', 4, 8)]
    >>> found.kept, found.peak.phase
    (72, 'backward')
    """
    if rounds < 1:
        raise ArgumentError(f"profile: rounds is at least 1, not {rounds}{here()}")
    whole = _time_whole(step, rounds, seed) if callable(step) else None
    found = asked("profile", step() if callable(step) else step)
    timed = [time_nodes(found.roots[0], seed) for _ in range(rounds + 1)][1:]  # the first round warms the caches
    ids = {node.node: node for node in found}
    curve, kept = live_memory(found, seed, retain_graph)
    nodes = []
    for times in zip(*timed, strict=True):
        node = ids[times[0].node]
        nodes.append(NodeCost(node.id, node.op or "", one_line(node.name or ""), str(node.shape),
                              Duration(tuple(t.forward for t in times)), Duration(tuple(t.backward for t in times)),
                              node.flops, kept[node.id], node.location))
    return Profile(found, tuple(nodes), tuple(curve), whole)


def _time_whole(step: Callable[[], Any], rounds: int, seed: Array | None) -> Duration:
    """Forward and backward as the engine runs them, without a question asked between."""
    from time import perf_counter

    from tinygraph.core.backward import cotangents, start

    taken = []
    for _ in range(rounds + 1):
        begin = perf_counter()
        loss = step()
        if not isinstance(loss, Handle):
            raise UnsupportedError(f"profile: the step should give the loss, a tensor, and gave "
                                   f"{type(loss).__name__}{here()}")
        for _cotangent in cotangents(loss.node, start(loss.node, seed), hooks=False):
            pass
        taken.append(perf_counter() - begin)
    return Duration(tuple(taken[1:]))


def _place(location: tuple[str, int, str] | None) -> str:
    return f"{os.path.basename(location[0])}:{location[1]}" if location else ""


def _size(count: float) -> str:
    """A number of bytes as a person reads it.

    >>> _size(532), _size(40_000), _size(3_200_000)
    ('532 B', '40.0 kB', '3.2 MB')
    """
    if count < 1000:
        return f"{count:.0f} B"
    exponent = 1
    while count >= 1000 ** (exponent + 1) and exponent < 3:
        exponent += 1
    return f"{count / 1000 ** exponent:.1f} {('kB', 'MB', 'GB')[exponent - 1]}"


def _text(found: Profile) -> str:
    total = sum(node.seconds for node in found.nodes) or 1.0
    costs = f"{'forward µs':>12}{'backward µs':>13}{'share':>8}{'FLOPs':>14}{'kept':>10}"
    shown = sorted(found.nodes, key=lambda node: -node.seconds)[:ROWS]
    shown.sort(key=lambda node: node.id)
    lines = [f"{'#':>5}  {'op':20}{'shape':>16}{costs}  where"]
    lines += [f"{n.id:5}  {one_line(n.op, 18):20}{one_line(n.shape, 15):>16}"
              f"{_costs(n.forward.median, n.backward.median, total, n.flops, n.kept)}  {_place(n.location)}".rstrip()
              for n in shown]
    if len(found.nodes) > len(shown):
        lines.append(f"       ... {len(found.nodes) - len(shown):,} cheaper nodes ...")
    lines += ["", f"{'op':20}{'calls':>7}{'':16}{costs}"]
    lines += [f"{one_line(o.op, 18):20}{o.calls:7}{'':16}{_costs(o.forward, o.backward, total, o.flops, o.kept)}"
              for o in found.ops]
    lines.append("")
    if found.step is not None:
        lines.append(f"forward and backward as the engine runs them: {found.step.median * 1e6:,.1f} µs "
                     f"(spread {found.step.spread:.0%}); the ops alone: {total * 1e6:,.1f} µs")
    peak = found.peak
    begin, forward = found.memory[0].bytes, max(m.bytes for m in found.memory if m.phase != "backward")
    lines.append(f"memory, computed from what the graph keeps alive: {_size(begin)} of leaves and data, "
                 f"{_size(forward)} after forward ({_size(found.kept)} kept for backward), at most "
                 f"{_size(peak.peak)}, in {peak.phase} at {found.what(peak)}")
    return "\n".join(lines)


def _costs(forward: float, backward: float, total: float, flops: int, kept: int) -> str:
    return (f"{forward * 1e6:12.1f}{backward * 1e6:13.1f}{(forward + backward) / total:8.1%}{flops:14,}"
            f"{_size(kept):>10}")
