"""Blocks: the nodes that a picture draws together, in a frame or as one box; and the view of a graph, made of them."""

from __future__ import annotations

from tinygraph.analysis import Graph


class Block:
    """Nodes that are drawn together: framed where it is open, as one box where it is closed.

    Attributes:
        name, parent, members: What it is called, the block around it, and the ids of the nodes directly in it.
        closed: Whether it is drawn as one box.
        boxed: Whether it is one box in the collapsed picture of the same graph.
        repeats: How many stretches of equal structure it stands for.
        literal: Whether it holds what a hint lists and no leaf besides.
        id: Its number, by the first op in it.
    """

    __slots__ = ("boxed", "closed", "id", "inner", "literal", "members", "name", "parent", "repeats")

    def __init__(self, name: str, parent: Block | None, closed: bool = False, literal: bool = False) -> None:
        self.name, self.parent, self.closed, self.literal = name, parent, closed, literal
        self.members: list[int] = []
        self.inner: list[Block] = []
        self.repeats = 1
        self.id = -1
        self.boxed = False

    @property
    def title(self) -> str:
        """The name, and how often it is repeated."""
        return f"{self.name} ×{self.repeats:,}".strip() if self.repeats > 1 else self.name

    def lineage(self) -> list[Block]:
        """The blocks around it from the outermost on, and itself."""
        found, block = [self], self.parent
        while block is not None:
            found.append(block)
            block = block.parent
        return found[::-1]

    @property
    def path(self) -> str:
        """The names of the scopes from the outermost on."""
        return "/".join(block.name for block in self.lineage() if block.name)

    @property
    def depth(self) -> int:
        """How many blocks are around it."""
        return len(self.lineage()) - 1

    def everything(self) -> list[int]:
        """The ids of all nodes in it, also in the blocks within, in order."""
        found, stack = [], [self]
        for block in stack:  # grows while it is walked
            found += block.members
            stack += block.inner
        return sorted(found)


class View:
    """What a picture shows of a graph.

    Attributes:
        block: By node id: the innermost open block, or the closed one, that it is drawn in; None for none.
        shown: By node id: the id of the node drawn in its place, which is its own unless a fold hides it; None where
            none is.
        note: What was left out, or "".
        crowded: Whether it was collapsed by itself, so that leaves must stand aside too.
        tops: The outermost blocks.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.block: list[Block | None] = [None] * len(graph)
        self.shown: list[int | None] = list(range(len(graph)))
        self.note = ""
        self.crowded = False
        self.tops: list[Block] = []

    def home(self, id: int) -> Block | None:
        """The closed block that a node is drawn as part of, or None."""
        shown = self.shown[id]
        block = None if shown is None else self.block[shown]
        return block if block is not None and block.closed else None

    @property
    def folds(self) -> bool:
        """Whether any node is drawn in another's place, or not at all."""
        return self.shown != list(range(len(self.shown)))

    def folded(self, id: int) -> bool:
        """Whether another node is drawn in this one's place."""
        return self.shown[id] != id

    def in_use(self) -> list[Block]:
        """The blocks that the picture shows, each after the one around it, numbered by their first node."""
        if not any(self.block):
            return []
        found: dict[Block, int] = {}
        # Leaves come last: weights may have been made long before they are used.
        for id in sorted(range(len(self.block)), key=lambda id: self.graph[id].op is None):
            block = self.block[id]
            while block is not None and block not in found and not self.folded(id):
                found[block] = id
                block = block.parent
        for number, block in enumerate(sorted(found, key=lambda b: (found[b], b.depth))):
            block.id = number
        return sorted(found, key=lambda b: b.id)
