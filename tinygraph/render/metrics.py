"""How wide a text comes out in DejaVu Sans, well enough to lay out a picture where no font can be asked."""

from __future__ import annotations

import functools
import re
import textwrap
import unicodedata

from tinygraph.render.formula import Formula, Fraction, Run
from tinygraph.render.scene import Box, Lines, Wire

SIZES = {"name": 14.0, "fact": 10.0, "gradient": 12.0, "amount": 10.5, "alarm": 10.0}
"""The size of a run of text by its role (points)."""

TWIN = 4.0
"""Each line of a pair lies so far from the middle (points)."""

NOTE = 110
"""So many characters of a note stand in a line."""

BOLD = 1.14
"""How much wider bold letters are."""

# Hundredths of the size, measured; what is not here is taken by its kind.
_WIDTHS = {character: width for width, characters in {
    28: "'ijl", 30: "IJ", 32: " ,.·\N{NO-BREAK SPACE}", 34: "/:;\\|", 36: "f-", 39: "()[]tᵀ", 41: "!r⁰¹²³⁴₀₁₂₃₄₅₆₇₈₉ₙ",
    50: "\"*_`‖–", 53: "sz∂∫?⁻₊", 56: "cLFk", 60: "vxyPπγ", 62: "TYaoe", 64: "ESbdghnpquΣσ$0123456789{}√βKα",
    69: "AVBRXZC", 75: "UHNΠ", 78: "DGOQ&", 83: "w∞#+<=>^~⊙×≥≤−÷", 87: "M", 99: "%mW@…"}.items()
    for character in characters}


def width(text: str, size: float, bold: bool = False) -> float:
    """How wide a text is (points).

    >>> round(width("exp(x)", 10))
    32
    """
    hundredths = 0
    for character in text:
        known = _WIDTHS.get(character)
        if known is None:
            wide = unicodedata.east_asian_width(character) in "WF"
            known = 100 if wide else 0 if unicodedata.combining(character) else 65
        hundredths += known
    return hundredths / 100 * size * (BOLD if bold else 1)


def wrapped(note: str) -> list[str]:
    """What stands under a picture, in lines that make it no wider than a page."""
    return textwrap.wrap(note, NOTE)


_HYPHENS = re.compile(r"(?<![^\s(,])-(?=[\d.]|inf)")


def typeset(text: str) -> str:
    """What a picture prints of a text: before a number a minus, which is as wide as a plus, in place of the hyphen.

    >>> typeset("(-0.5, 1e-09), x-1")
    '(−0.5, 1e-09), x-1'
    """
    return _HYPHENS.sub("−", text) if "-" in text else text


def run_width(run: Run, size: float | None = None) -> float:
    """How wide a run of text is (points)."""
    return width(typeset(run.text), size or SIZES[run.role], run.bold)


def line_size(line: Formula, size: float | None = None) -> tuple[float, float]:
    """How wide and how high a line is (points); fractions stand two lines high."""
    wide = high = 0.0
    for piece in line:
        if isinstance(piece, Run):
            wide += run_width(piece, size)
            high = max(high, 1.25 * (size or SIZES[piece.role]))
        else:
            wide += fraction_width(piece) + FRACTION_SPACE
            high = max(high, 2.5 * SIZES["gradient"])
    return wide, high


FRACTION_SPACE = 4.0
"""Beside a fraction's bar (points)."""


def fraction_width(fraction: Fraction) -> float:
    """How long a fraction's bar is (points)."""
    return 2 + max(sum(map(run_width, fraction.above)), sum(map(run_width, fraction.below)))


CIRCLE = 4
"""A symbol of more characters stands in a rounded box."""


def letters(line: Formula) -> str:
    """The characters of a line without fractions."""
    return "".join(run.text for run in line if isinstance(run, Run))


@functools.lru_cache(maxsize=1024)
def circle(symbol: Lines) -> tuple[int, float] | None:
    """The size of an op's letters (points) and its circle's diameter (inches); None where it stands in a box."""
    if len(symbol) != 1 or len(letters(symbol[0])) > CIRCLE:
        return None
    return {1: (16, 0.5), 2: (14, 0.58), 3: (14, 0.58)}.get(len(letters(symbol[0])), (12, 0.6))


def end_size(box: Box) -> float:
    """The size of the letters of a leaf, a constant or a result (points)."""
    return 13.0 if box.kind == "constant" else 17.0


def box_size(box: Box) -> tuple[float, float]:
    """How wide and how high a box is (points)."""
    if box.kind == "fan":
        return 4.0, 4.0
    if box.kind == "op" and (known := circle(box.text)):
        return 72 * known[1], 72 * known[1]
    if box.kind == "op":
        return 16 + max(width(letters(line), 13) for line in box.text), 16 + 16 * len(box.text)
    sizes = [line_size(line, None if box.kind == "group" else end_size(box)) for line in box.text]
    pad = 22 if box.kind == "group" else 6
    return pad + max((wide for wide, _ in sizes), default=0), pad + sum(high for _, high in sizes)


def wire_size(wire: Wire) -> tuple[float, float, float]:
    """How wide a wire's texts are, how far they reach above its middle, and how far below."""
    above, below = [line_size(line) for line in wire.above], [line_size(line) for line in wire.below]
    lift = TWIN if wire.gradient else 0.0
    wide = max([24.0, *(8 + wide for wide, _ in (*above, *below))])
    return wide, lift + 3 + sum(high for _, high in above), lift + 3 + sum(high for _, high in below)
