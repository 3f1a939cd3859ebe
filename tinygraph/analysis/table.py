"""The table that printing a graph shows."""

from __future__ import annotations

from tinygraph.analysis.nodes import GraphNode, drawn
from tinygraph.analysis.text import count, one_line

TABLE_ROWS = 60
"""A longer table shows its head and its tail."""


def table(nodes: list[GraphNode], edges: int) -> str:
    """The nodes row by row, and what they cost together."""
    head, tail = nodes, []
    if len(nodes) > TABLE_ROWS:
        head, tail = nodes[:TABLE_ROWS // 2], nodes[-TABLE_ROWS // 2:]
    rows = [["#", "op", "name", "shape", "dtype", "inputs", "FLOPs", "bytes"], *map(_row, head), *map(_row, tail)]
    flops, size = f"{sum(node.flops for node in nodes):,}", f"{sum(node.bytes for node in nodes):,}"
    totals = f"{count(len(nodes), 'node')}, {count(edges, 'edge')}"
    widths = [max(len(row[i]) for row in rows) for i in range(8)]
    widths[6], widths[7] = max(widths[6], len(flops)), max(widths[7], len(size))
    right = {0, 6, 7}
    lines = ["  ".join(cell.rjust(w) if i in right else cell.ljust(w)
                       for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
    if tail:
        lines.insert(1 + len(head), f"{'':{widths[0]}}  ... {len(nodes) - len(head) - len(tail):,} more nodes ...")
    middle = sum(widths[1:6]) + 8
    total = f"{'':{widths[0]}}  {totals:{middle}}  {flops:>{widths[6]}}  {size:>{widths[7]}}"
    return "\n".join([*lines, total])


def _row(node: GraphNode) -> list[str]:
    inputs = [f"#{i.id}" if isinstance(i, GraphNode) else f"{i.dtype}{tuple(i.shape)}" if getattr(i, "shape", ())
              else f"{i:.4g}" for i in node.inputs if isinstance(i, GraphNode) or drawn(i)]
    return [str(node.id), one_line(node.op or "leaf"), one_line(node.name or ""), one_line(str(node.shape)),
            one_line(str(node.dtype)), one_line(" ".join(inputs), 40), f"{node.flops:,}", f"{node.bytes:,}"]
