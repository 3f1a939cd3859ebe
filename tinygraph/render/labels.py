"""Labels of Graphviz, which are like HTML: text in its fonts, fractions as tables, a wire's lines as cells of one.

No user's text leaves its place in them.
"""

from __future__ import annotations

import functools
import html
import itertools
import re

from tinygraph.render.formula import Formula, Fraction, Run
from tinygraph.render.metrics import SIZES, typeset, width, wrapped
from tinygraph.render.scene import COLOURS, Scene, Wire

TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">'
_ROLES = {"name": COLOURS["ink"], "fact": COLOURS["quiet"], "gradient": COLOURS["backward"],
          "amount": COLOURS["backward"], "alarm": COLOURS["highlight"]}

GAP = 7
"""Between the two lines of a wire (points)."""

NBSP = "\N{NO-BREAK SPACE}"
"""Stands for a space at the end of a run, which SVG would drop."""

SPACERS = 8
"""Empty cells on either side of a fraction: they take the width that would stretch its bar."""

_SPECIAL = re.compile(r"[&<>\"'\\]")


def shafts(wire: Wire, ink: str, wide: int) -> str:
    """The table of a wire: the text above, its lines, ``wide`` points long or more, the text below."""
    above = "".join(f"<TR><TD>{_line(line)}</TD></TR>" for line in wire.above)
    below = "".join(f"<TR><TD>{_line(line)}</TD></TR>" for line in wire.below) if wire.gradient else ""
    return f"{TABLE}{above}{_lines(wire.gradient, ink, wide)}{below}</TABLE>"


def waypoint(gradient: bool, ink: str) -> str:
    """The table of a point that a wire goes through."""
    return f"{TABLE}{_lines(gradient, ink, 1)}</TABLE>"


def _lines(gradient: bool, ink: str, wide: int) -> str:
    """The rows of a table that are a wire's lines: one forward, and where a gradient comes back a gap and another."""
    forward = f'<TR><TD PORT="f" HEIGHT="1" WIDTH="{wide}" BGCOLOR="{ink}"></TD></TR>'
    if not gradient:
        return forward
    return (f'{forward}<TR><TD PORT="m" HEIGHT="{GAP}"></TD></TR>'
            f'<TR><TD PORT="b" HEIGHT="1" BGCOLOR="{COLOURS["backward"]}"></TD></TR>')


def caption(scene: Scene) -> str:
    """What stands under the picture: the legend of its colours, and what it says about itself."""
    rows = []
    if scene.legend is not None:
        cells = [f"<TD>{_fact(scene.legend.title)}  </TD>"]
        for colour, meaning in scene.legend.entries:
            cells.append(f'<TD WIDTH="16" HEIGHT="12" BORDER="1" COLOR="{COLOURS["ink"]}" '
                         f'BGCOLOR="{COLOURS[colour]}"></TD><TD> {_fact(meaning)}   </TD>')
        # Of a fixed size, or a long note below would pull its cells apart.
        words = [scene.legend.title, *(meaning for _, meaning in scene.legend.entries)]
        wide = sum(width(word, 11) + 32 for word in words)
        fixed = TABLE.replace(">", f' FIXEDSIZE="TRUE" WIDTH="{wide:.0f}" HEIGHT="18" ALIGN="LEFT">')
        rows.append(f'<TR><TD ALIGN="LEFT">{fixed}<TR>{"".join(cells)}</TR></TABLE></TD></TR>')
    rows += [f'<TR><TD ALIGN="LEFT">{_fact(line)}</TD></TR>' for line in wrapped(scene.note)]
    return f"{TABLE}{''.join(rows)}</TABLE>" if rows else ""


def _fact(text: str) -> str:
    return f'<FONT COLOR="{COLOURS["quiet"]}" POINT-SIZE="11">{escaped(text)}</FONT>'


def _line(line: Formula) -> str:
    """One line of text, or a table of two rows where it has fractions."""
    if not any(isinstance(piece, Fraction) for piece in line):
        return lettering(line)
    above: list[str] = []
    below: list[str] = []
    for fraction, pieces in itertools.groupby(line, lambda piece: isinstance(piece, Fraction)):
        if not fraction:
            text = tuple(piece for piece in pieces if isinstance(piece, Run))
            if above and text[0].text[:1].isalnum():
                text = (Run(" ", role=text[0].role), *text)
            above.append(f'<TD ROWSPAN="2" CELLPADDING="1">{lettering(text)}</TD>')
            continue
        for piece in pieces:
            assert isinstance(piece, Fraction)
            if above and "ROWSPAN" not in above[-1]:  # or two bars would read as one
                above.append('<TD ROWSPAN="2" WIDTH="5"></TD>')
            colour = _ROLES[piece.above[0].role]
            above.append(f'<TD SIDES="B" BORDER="1" COLOR="{colour}" CELLPADDING="1">{lettering(piece.above)}</TD>')
            below.append(f'<TD CELLPADDING="1">{lettering(piece.below)}</TD>')
    space = "<TD></TD>" * SPACERS
    return f"{TABLE}<TR>{space}{''.join(above)}{space}</TR><TR>{space}{''.join(below)}{space}</TR></TABLE>"


def lettering(line: Formula, size: float | None = None, colour: str | None = None) -> str:
    """Runs of text, neighbours of one size and colour in one FONT."""
    parts: list[str] = []
    last = ""
    for run in line:
        if isinstance(run, Run):
            font, text = _run(run, size, colour)
            if font == last:
                parts[-1] = f"{parts[-1].removesuffix('</FONT>')}{text}</FONT>"
            else:
                parts.append(f"{font}{text}</FONT>")
                last = font
    return "".join(parts)


@functools.lru_cache(maxsize=4096)
def _run(run: Run, size: float | None, colour: str | None) -> tuple[str, str]:
    """The FONT of a run, and what stands in it."""
    text = escaped(typeset(run.text))
    text = f"<I>{text}</I>" if run.italic else text
    text = f"<B>{text}</B>" if run.bold else text
    own = run.role != "name"
    colour = _ROLES[run.role] if own or not colour else colour
    return f'<FONT COLOR="{colour}" POINT-SIZE="{SIZES[run.role] if own or not size else size:g}">', text


@functools.lru_cache(maxsize=4096)
def escaped(text: str) -> str:
    """A text inside an HTML-like label, where Graphviz fails at a lone square bracket and reads backslash escapes."""
    spaced = re.sub(r"^ +| +$", lambda spaces: NBSP * len(spaces[0]), text)
    return html.escape(spaced).replace("]", "&#93;").replace("\\", "\\\\")


def quoted(text: str) -> str:
    """A text inside a quoted attribute, where Graphviz reads escapes, and entities in what it writes as SVG."""
    return html.escape(text).replace("\\", "\\\\") if _SPECIAL.search(text) else text
