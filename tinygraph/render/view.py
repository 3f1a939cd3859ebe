"""view: which nodes of a graph a picture shows one by one, which in a frame, which as one box, and which not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from tinygraph.analysis import Graph, GraphNode, one_line
from tinygraph.render.blocks import Block, View
from tinygraph.render.repeats import runs
from tinygraph.render.rows import leading

Collapse: TypeAlias = Callable[[str], bool]
"""Tells by a scope's path, such as "encoder/attention", whether it is drawn as one box."""

CROWDED = 300
"""A graph that is collapsed by itself is shown in the most detail that takes no more boxes than this."""

STRETCHES = 30
"""Where a graph has neither scopes nor repeats, it is cut into so many stretches."""

PATTERN = 6
"""The title of a run names the ops of up to so many steps."""


def view(graph: Graph, clusters: Mapping[str, Sequence[GraphNode]], *, depth: int | None = None,
         collapse: Collapse | bool | None = None, fold_repeats: bool = False, large: int = 1000,
         opened: bool = False) -> View:
    """Settle what is drawn; `tinygraph.render.drawing.draw` says what the arguments mean.

    opened: draw each box that they collapse as a frame around all that is in it, and every repeat
    """
    seen = View(graph)
    _frame(seen, clusters)
    if depth is None and collapse is None and not fold_repeats:
        if len(graph) > large:
            _collapse_by_itself(seen)
    else:
        _close(seen, depth, collapse)
        if fold_repeats and not opened:
            _fold(seen)
    if opened:
        _open(seen)
    _house_leaves(seen)
    return seen


def _frame(seen: View, clusters: Mapping[str, Sequence[GraphNode]]) -> None:
    """Put each node into the block of its scope, or of the hint that names it."""
    blocks: dict[tuple[str, ...], Block] = {}
    for node in seen.graph:
        if scope := node.node.scope:
            block = blocks.get(scope) or _block_of(scope, blocks, seen.tops)
            seen.block[node.id] = block
            block.members.append(node.id)
    for title, nodes in clusters.items():
        cluster = Block(one_line(title, 60), None, literal=True)
        seen.tops.append(cluster)
        for node in nodes:
            if (former := seen.block[node.id]) is not None:
                former.members.remove(node.id)
            seen.block[node.id] = cluster
            cluster.members.append(node.id)
        cluster.members.sort()


def _block_of(scope: tuple[str, ...], blocks: dict[tuple[str, ...], Block], tops: list[Block]) -> Block:
    """The block of a scope, made together with those around it where they are not there yet."""
    known = len(scope)
    while known and scope[:known] not in blocks:
        known -= 1
    block = blocks.get(scope[:known])
    for length in range(known + 1, len(scope) + 1):
        made = Block(one_line(scope[length - 1].rpartition("#")[0]) or "scope", block)
        (tops if block is None else block.inner).append(made)
        block = blocks[scope[:length]] = made
    assert block is not None
    return block


def _close(seen: View, depth: int | None, collapse: Collapse | bool | None) -> None:
    """Draw as one box what the caller says, and with it all that is in it."""
    stack = list(seen.tops)
    for block in stack:  # grows while it is walked
        too_deep = depth is not None and block.depth >= depth
        asked = collapse is True or (callable(collapse) and collapse(block.path))
        if too_deep or asked:
            _shut(seen, block)
        else:
            stack += block.inner


def _shut(seen: View, block: Block) -> None:
    block.closed = True
    for id in block.everything():
        seen.block[id] = block


def _open(seen: View) -> None:
    """Make each box a frame again, and of what is in it what it was."""
    for closed in dict.fromkeys(block for block in seen.block if block is not None and block.closed):
        closed.closed, closed.boxed = False, True
        stack = [closed]
        for block in stack:  # grows while it is walked
            for id in block.members:
                seen.block[id] = block
            stack += block.inner
    seen.note, seen.crowded = "", False


# --- leaves -----------------------------------------------------------------------------------------------------------


def _house_leaves(seen: View) -> None:
    """Draw a leaf with the ops that use it: weights and labels, and not the data that begins a line.

    It goes with them where all of them are in one block, and is not drawn where a fold hides them all.
    """
    uses: dict[int, list[GraphNode]] = {node.id: [] for node in seen.graph.nodes if node.node.op is None}
    for edge in seen.graph.edges:
        if edge.source.node.op is None:
            uses[edge.source.id].append(edge.target)
    roots = {node.id for node in seen.graph.ends}
    alone: list[int] = []
    for node in seen.graph.nodes:
        if node.node.op is not None or not uses[node.id] or node.id in roots:
            continue
        users = uses[node.id]
        if all(seen.folded(user.id) for user in users):
            seen.shown[node.id] = None
            continue
        homes = {seen.block[user.id] for user in users}
        block = homes.pop()
        if homes or block is None or block.literal or seen.block[node.id] is not None:
            alone.append(node.id)
        elif _is_side(node, users) or (block.closed and (node.requires_grad or not node.name)):
            seen.block[node.id] = block
            block.members.append(node.id)
    if seen.crowded and len(alone) > CROWDED:
        for id in alone:
            seen.block[id] = seen.home(uses[id][0].id)


def _is_side(leaf: GraphNode, users: list[GraphNode]) -> bool:
    """Whether it stands beside the line of the one op that uses it."""
    if len(users) != 1:
        return False
    computed = any(isinstance(i, GraphNode) and i.op is not None for i in users[0].inputs)
    first = next((i for i in users[0].inputs if isinstance(i, GraphNode)), None)
    return computed or first is not leaf or leading(users[0]) is not None


# --- repeats ----------------------------------------------------------------------------------------------------------

_Unit: TypeAlias = "int | Block"
"""A step of a sequence: an op by its id, or a block."""


def _kind(node: GraphNode) -> tuple[object, ...]:
    """What two ops of equal structure have in common."""
    made = node.node
    return (made.op, node.shape if isinstance(made.value, tuple) else made.value.shape, len(node.inputs))


def _units(seen: View, block: Block | None) -> list[_Unit]:
    """The ops and blocks directly in a block, or in none, in the order of creation."""
    inners = seen.tops if block is None else block.inner
    firsts: list[tuple[int, _Unit]] = [(ids[0], inner) for inner in inners if (ids := inner.everything())]
    directly = [id for id, around in enumerate(seen.block) if around is None] if block is None else block.members
    nodes, shown = seen.graph.nodes, seen.shown
    firsts += [(id, id) for id in directly if nodes[id].node.op is not None and shown[id] == id]
    firsts.sort(key=lambda pair: pair[0])
    return [unit for _, unit in firsts]


def _numbered(seen: View, units: Iterable[_Unit]) -> list[int]:
    """A number for each unit's kind: equal where their ops, shapes and scopes are."""
    kinds: dict[object, int] = {}
    numbers = []
    for unit in units:
        if isinstance(unit, Block):
            ids = unit.everything()
            kind: object = (unit.name, unit.repeats, tuple(_kind(seen.graph[id]) for id in ids))
        else:
            kind = _kind(seen.graph[unit])
        numbers.append(kinds.setdefault(kind, len(kinds)))
    return numbers


def _ids(units: Iterable[_Unit]) -> list[int]:
    return sorted(id for unit in units for id in (unit.everything() if isinstance(unit, Block) else [unit]))


def _fold(seen: View) -> None:
    """Draw of each run of repeats, also inside blocks, the first alone, in a frame that says how many there are."""
    stack: list[Block | None] = [None]
    for block in stack:  # grows while it is walked
        units = _units(seen, block)
        numbers = _numbered(seen, units)
        kept: list[_Unit] = []
        end = 0
        for run in [*runs(numbers, least=2)]:
            first = units[run.start:run.start + run.period]
            if run.repeats < 3 and not any(isinstance(unit, Block) for unit in first):
                continue
            kept += units[end:run.start]
            end = run.start + run.period * run.repeats
            model = _ids(first)
            for number in range(1, run.repeats):
                copy = _ids(units[run.start + number * run.period:run.start + (number + 1) * run.period])
                for id, counterpart in zip(copy, model, strict=True):
                    seen.shown[id] = counterpart
            kept.append(_repeated(seen, block, first, run.repeats))
        kept += units[end:]
        inner = [unit for unit in kept if isinstance(unit, Block)]
        if block is None:
            seen.tops = inner
        else:
            block.inner = inner
            block.members = [unit for unit in kept if not isinstance(unit, Block)]
        stack += [unit for unit in inner if not unit.closed]
    for place, model_id in enumerate(seen.shown):  # a repeat in a repeat: its counterpart is folded as well
        if model_id is not None and model_id < place:
            seen.shown[place] = seen.shown[model_id]


def _repeated(seen: View, parent: Block | None, units: list[_Unit], repeats: int) -> Block:
    """The block that stands for a run: the one that is repeated, or a new one around several units."""
    first = units[0]
    if len(units) == 1 and isinstance(first, Block) and first.repeats == 1:
        first.repeats = repeats
        return first
    made = Block("", parent)
    made.repeats = repeats
    for unit in units:
        if isinstance(unit, Block):
            unit.parent = made
            made.inner.append(unit)
        else:
            made.members.append(unit)
            seen.block[unit] = made
    return made


# --- graphs too large to be read --------------------------------------------------------------------------------------


def _collapse_by_itself(seen: View) -> None:
    """By scope in as much detail as can be read, or else by runs of equal structure, or else by stretches."""
    count = f"{len(seen.graph):,} nodes"
    if seen.tops:
        _close(seen, _deepest(seen), None)
        seen.note = f"{count}, collapsed by scope"
    if len(units := _units(seen, None)) > CROWDED:
        units = _collapse_runs(seen, units)
        seen.note = f"{count}, repeats collapsed"
    if len(units) > CROWDED:
        size = -(-len(units) // STRETCHES)
        for start in range(0, len(units), size):
            ids = _ids(units[start:start + size])
            _merge(seen, ids, f"#{ids[0]:,} to #{ids[-1]:,}", 1)
        seen.note = f"{count}, collapsed into stretches"
    seen.crowded = True


def _deepest(seen: View) -> int:
    """The greatest depth of scopes whose picture is not crowded; 0 where each is."""
    crowd: dict[int, int] = {}
    stack = [(block, 0) for block in seen.tops]
    for block, depth in stack:  # grows while it is walked
        crowd[depth] = crowd.get(depth, 0) + 1
        crowd[depth + 1] = crowd.get(depth + 1, 0) + len(block.members)
        stack += [(inner, depth + 1) for inner in block.inner]
    deepest, boxes = 0, 0
    for depth in range(max(crowd) + 1):
        boxes += crowd[depth]
        if boxes <= CROWDED:
            deepest = depth
    return deepest


def _collapse_runs(seen: View, units: list[_Unit]) -> list[_Unit]:
    """Collapse runs into one box each, and runs of those again, until there are few or no more."""
    while True:
        numbers = _numbered(seen, units)
        found = runs(numbers)
        if not found:
            return units
        kept: list[_Unit] = []
        end = 0
        for run in found:
            kept += units[end:run.start]
            end = run.start + run.period * run.repeats
            name = _pattern(seen, units[run.start:run.start + run.period])
            kept.append(_merge(seen, _ids(units[run.start:end]), name, run.repeats))
        units = kept + units[end:]
        if len(units) <= CROWDED:
            return units


def _pattern(seen: View, units: list[_Unit]) -> str:
    """The steps of a run in a few words."""
    names = [unit.title if isinstance(unit, Block) else one_line(seen.graph[unit].symbol or "") for unit in units]
    text = ", ".join(names[:PATTERN]) + (", …" if len(names) > PATTERN else "")
    return text if len(names) == 1 else f"({text})"


def _merge(seen: View, ids: list[int], name: str, repeats: int) -> Block:
    """One closed block of these nodes."""
    made = Block(name, None, closed=True)
    made.repeats = repeats
    made.members = ids
    for id in ids:
        seen.block[id] = made
    return made
