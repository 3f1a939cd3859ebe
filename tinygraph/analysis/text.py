"""Texts about a graph that stand in tables and pictures alike."""

from __future__ import annotations

import unicodedata


def one_line(text: str, limit: int = 24) -> str:
    r"""A user's text as it can stand in a table or a picture: one line, nothing unprintable, at most ``limit`` long.

    >>> one_line("two\nlines"), one_line("x" * 10_000, limit=8)
    ('two lines', 'xxxxxxx…')
    """
    kept = []
    for character in text[:8 * limit]:
        kind = unicodedata.category(character)
        if character.isspace():
            kept.append(" ")
        elif kind in ("Cc", "Cs", "Cn"):
            kept.append("\N{REPLACEMENT CHARACTER}")
        elif kind != "Cf" or character == "\N{ZERO WIDTH JOINER}":  # what turns the direction of writing goes
            kept.append(character)
    line = " ".join("".join(kept).split())
    return line if len(line) <= limit else line[:limit - 1] + "…"


def count(n: int, thing: str) -> str:
    """How many there are of a thing: 1 node, 2 nodes."""
    return f"{n:,} {thing}{'s' * (n != 1)}"
