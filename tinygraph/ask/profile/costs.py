"""What one node, and what all nodes of one op, cost."""

from __future__ import annotations

from dataclasses import dataclass

from tinygraph.ask.profile.clock import Duration


@dataclass(frozen=True)
class NodeCost:
    """What one node costs.

    Attributes:
        id, op, name, shape: The node of the graph.
        forward, backward: Its op's forward and its rules (seconds, round by round).
        flops: Floating-point operations of the forward, by the op's card.
        kept: What its value adds to the memory that the graph keeps for backward (bytes); 0 for a view.
        location: File, line and function that made it, or None.
    """

    id: int
    op: str
    name: str
    shape: str
    forward: Duration
    backward: Duration
    flops: int
    kept: int
    location: tuple[str, int, str] | None

    @property
    def seconds(self) -> float:
        """Forward and backward together, at the median (seconds)."""
        return self.forward.median + self.backward.median


@dataclass(frozen=True)
class OpTotal:
    """What all nodes of one op cost together; the attributes are as a `NodeCost`'s, times at the median."""

    op: str
    calls: int
    forward: float
    backward: float
    flops: int
    kept: int
