"""A scene as Mermaid, the language of diagrams in Markdown: forward arrows drawn through, backward arrows dotted."""

from __future__ import annotations

from tinygraph.render.formats import renderer
from tinygraph.render.formula import plain
from tinygraph.render.scene import COLOURS, Box, Lines, Scene

_SAFE = " .,:()=+-/"
_SHAPES = {"op": '(("{}"))', "fan": '(("{}"))', "group": '[["{}"]]'}


@renderer("mmd", "mermaid")
def as_mermaid(scene: Scene) -> bytes:
    """The text of a Mermaid flowchart, for a Markdown page."""
    return mermaid(scene).encode()


def mermaid(scene: Scene) -> str:
    """The scene in Mermaid; no user's text leaves its place in it.

    >>> import tinygraph as tg
    >>> x = tg.tensor(2.0, requires_grad=True, name="x")
    >>> print(mermaid(tg.draw(x * 3, show="symbols").scene))
    flowchart LR
      n0["x"]:::end_
      n1(("×")):::op
      c1_1["3"]:::constant
      r1["L"]:::end_
      n0 --> n1
      n1 -.->|"∂L/∂x = ∂L/∂L · 3"| n0
      c1_1 --> n1
      n1 --> r1
      r1 -.->|"∂L/∂L"| n1
      linkStyle 1,4 stroke:#0072B2,color:#0072B2
      classDef op fill:#FFF3C4,stroke:#1A1A1A,color:#1A1A1A
      classDef group fill:#EDEDED,stroke:#1A1A1A,color:#1A1A1A
      classDef fan fill:#1A1A1A,stroke:#1A1A1A
      classDef end_ fill:none,stroke:none
      classDef constant fill:none,stroke:none
    <BLANKLINE>
    """
    lines: dict[str, list[str]] = {id: [] for id in ("", *(group.id for group in scene.groups))}
    for box in scene.boxes:
        lines[box.group].append(f"  {_node(box)}")
    for group in reversed(scene.groups):
        lines[group.parent] += [f'  subgraph {group.id} ["{_escaped(group.title) or " "}"]', *lines[group.id], "  end"]
    edges: list[str] = []
    backward: list[str] = []
    for wire in scene.wires:
        edges.append(f"  {wire.source} -->{_label(wire.above)} {wire.target}")
        if wire.gradient:
            backward.append(f"{len(edges)}")
            edges.append(f"  {wire.target} -.->{_label(wire.below)} {wire.source}")
    style = [f"  linkStyle {','.join(backward)} stroke:{COLOURS['backward']},color:{COLOURS['backward']}"]
    filled = [f"  style {box.id} fill:{COLOURS[box.fill]}" for box in scene.boxes if box.fill]
    filled += [f"  style {box.id} stroke:{COLOURS['highlight']},stroke-width:3px" for box in scene.boxes if box.alarm]
    return "\n".join(["flowchart LR", *_notes(scene), *lines[""], *edges, *(style if backward else []), *_classes(),
                      *filled, ""])


def _node(box: Box) -> str:
    shape = _SHAPES.get(box.kind, '["{}"]')
    kind = box.kind if box.kind in (*_SHAPES, "constant") else "end_"  # "end" is a word of Mermaid's own
    return f"{box.id}{shape.format(_text(box.text) or ' ')}:::{kind}"


def _notes(scene: Scene) -> list[str]:
    """What the picture says about itself, in a box of its own."""
    lines = [scene.note] if scene.note else []
    if scene.legend is not None:
        lines.append(f"{scene.legend.title}: {'; '.join(meaning for _, meaning in scene.legend.entries)}")
    return [f'  note["{"<br/>".join(map(_escaped, lines))}"]:::constant'] if lines else []


def _classes() -> list[str]:
    ink = COLOURS["ink"]
    return [f"  classDef op fill:{COLOURS['op']},stroke:{ink},color:{ink}",
            f"  classDef group fill:{COLOURS['group']},stroke:{ink},color:{ink}",
            f"  classDef fan fill:{ink},stroke:{ink}",
            "  classDef end_ fill:none,stroke:none", "  classDef constant fill:none,stroke:none"]


def _label(lines: Lines) -> str:
    text = _text(lines)
    return f'|"{text}"|' if text else ""


def _text(lines: Lines) -> str:
    return "<br/>".join(_escaped(plain(line)) for line in lines)


def _escaped(text: str) -> str:
    """A text in which only letters, digits and a few signs stand as they are."""
    return "".join(_character(c) for c in text)


def _character(character: str) -> str:
    return character if character.isalnum() or character in _SAFE or ord(character) > 127 else f"#{ord(character)};"
