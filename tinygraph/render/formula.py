r"""Formulas as plain data: the small part of TeX that the cards of ops use, read into runs of text and fractions.

Every format prints the same data its own way: DOT as tables, a page as HTML, a terminal as one line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias


class Run(NamedTuple):
    """A piece of text in one style; ``role`` says what it is.

    The roles: name, fact (a shape or a value), gradient (a formula), amount (a gradient's value).
    """

    text: str
    italic: bool = False
    bold: bool = False
    role: str = "name"


class Fraction(NamedTuple):
    """A numerator above a denominator."""

    above: tuple[Run, ...]
    below: tuple[Run, ...]


Formula: TypeAlias = tuple[Run | Fraction, ...]

Letters: TypeAlias = Mapping[str, tuple[Run, ...]]
"""What the letters of a formula stand for."""

SUPERSCRIPTS = dict(zip("0123456789+-−=()*nixTABDEGHIJKLMNOPRUVW",
                        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾*ⁿⁱˣᵀᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵁⱽᵂ", strict=True))
# There is no subscript N, and the index of a sum over N samples is written n.
SUBSCRIPTS = dict(zip("0123456789+-−=()aehijklmnNoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_SYMBOLS = {"partial": "∂", "cdot": " · ", "odot": " ⊙ ", "times": " × ", "top": "T", "sum": "Σ", "prod": "Π",
            "left": "", "right": "", "infty": "∞", "ge": " ≥ ", "le": " ≤ ", "neq": " ≠ ", "int": "∫", "dots": "…",
            "cdots": "⋯", "lfloor": "⌊", "rfloor": "⌋", "quad": "  ", ",": " ", "{": "{", "}": "}", "|": "‖",
            "Gamma": "Γ", "Phi": "Φ", "kappa": "κ", "mu": "μ", "phi": "φ", "pi": "π", "psi": "ψ", "sigma": "σ",
            "zeta": "ζ"}
_CLOSE = frozenset("()]',^_") | {*SUPERSCRIPTS.values(), *SUBSCRIPTS.values()}
"""What stands close behind a word."""
# A letter with a number, X_1, is one name where it stands for something.
_TOKEN = re.compile(r"\\(?:operatorname|mathrm|text)\{[^}]*\}?|\\[A-Za-z]+|\\.|\s+|[A-Za-z]_[0-9]|[A-Za-z]|[0-9.]+|.",
                    re.S)


@functools.lru_cache(maxsize=1024)
def _tokens(tex: str) -> tuple[str, ...]:
    return tuple(token for token in _TOKEN.findall(tex) if not token.isspace())


def parse(tex: str, letters: Letters | None = None) -> Formula:
    r"""Read a formula in TeX; a single letter found in ``letters`` becomes what stands there for it.

    Known are fractions, sub- and superscripts, groups and the usual symbols; any other command is shown by its name.

    >>> plain(parse(r"\frac{\partial L}{\partial Y} \cdot W^\top"))
    '∂L/∂Y · Wᵀ'
    >>> plain(parse(r"2X \frac{\partial L}{\partial Y}", {"X": (Run("a"), Run("₁"))}))
    '2a₁ ∂L/∂Y'
    """
    pieces, _ = _sequence(_tokens(tex), 0, letters or {})
    return _tidied(pieces)


def plain(formula: Formula) -> str:
    """A formula in one line of text.

    >>> plain((Run("2"), Fraction((Run("x"),), (Run("y"), Run(" + 1")))))
    '2 x/(y + 1)'
    """
    parts = []
    for piece in formula:
        if isinstance(piece, Run):
            parts.append(piece.text)
        else:
            parts.append(f"{_grouped(piece.above)}/{_grouped(piece.below)}")
    text = ""
    for before, part in zip(["", *parts], parts, strict=False):
        # What only stands side by side in two dimensions needs a space in one.
        ends, begins = before[-1:].isalnum() or before[-1:] == ")", part[:1].isalnum() or part[:1] in "∂("
        text += f" {part}" if ends and begins and "/" in before + part else part
    return text.strip()


def _grouped(runs: tuple[Run, ...]) -> str:
    text = "".join(run.text for run in runs)
    return f"({text})" if " " in text and not text.startswith("(") else text


def _sequence(tokens: tuple[str, ...], i: int, letters: Letters) -> tuple[list[Run | Fraction], int]:
    """The pieces from token ``i`` to the end or the closing brace, and where that is."""
    pieces: list[Run | Fraction] = []
    while i < len(tokens) and tokens[i] != "}":
        if tokens[i] in "^_":
            table = SUPERSCRIPTS if tokens[i] == "^" else SUBSCRIPTS
            # An index is no value: the N, H and W that a sum runs over are no matrices of these names.
            inner, i = _atom(tokens, i + 1, letters if tokens[i] == "^" else {})
            pieces.append(_script(plain(tuple(inner)), table, "^" if table is SUPERSCRIPTS else "_"))
        else:
            atom, after = _atom(tokens, i, letters)
            # Names are set apart, since several characters may come to stand for a letter.
            if pieces and atom and _ends_a_name(pieces[-1], tokens[i - 1]) and _begins_a_name(atom[0]):
                pieces.append(Run(" "))
            pieces += atom
            i = after
    return pieces, i


def _ends_a_name(piece: Run | Fraction, token: str) -> bool:
    return isinstance(piece, Run) and not token[:1].isdigit() and (
        piece.text[-1:].isalnum() or piece.text[-1:] in _CLOSE - {"(", "'"})


def _begins_a_name(piece: Run | Fraction) -> bool:
    return isinstance(piece, Run) and (piece.text[:1].isalpha() or piece.text.startswith(("Σ", "Π", "∫", "√")))


def _atom(tokens: tuple[str, ...], i: int, letters: Letters) -> tuple[list[Run | Fraction], int]:
    """One token or one group in braces, and where it ends."""
    if i >= len(tokens):
        return [], i
    token = tokens[i]
    if token == "{":
        pieces, i = _sequence(tokens, i + 1, letters)
        return pieces, i + 1
    if token == r"\frac":
        above, i = _atom(tokens, i + 1, letters)
        below, i = _atom(tokens, i, letters)
        return [Fraction(_flat(above), _flat(below))], i
    if token == r"\sqrt":
        inner, i = _atom(tokens, i + 1, letters)
        return [Run("√"), *_fenced(_flat(inner))], i
    if token[0] == "\\" and "{" in token[2:]:
        return [Run(f"{token.partition('{')[2].rstrip('}').strip()} ")], i + 1
    if token[0] == "\\":
        name = token[1:]
        return [Run(_SYMBOLS.get(name, f"{name} "))], i + 1
    if token in letters:
        return list(letters[token]), i + 1
    if token[1:2] == "_":
        return [Run(token[0], italic=True), _script(token[2], SUBSCRIPTS, "_")], i + 1
    if token in "+-":
        return [Run(" + " if token == "+" else " − ")], i + 1
    if token in "=<>":
        return [Run(f" {token} ")], i + 1
    return [Run(", " if token == "," else token, italic=token.isalpha())], i + 1


def _flat(pieces: list[Run | Fraction]) -> tuple[Run, ...]:
    """What stands inside a fraction, fractions of its own written in one line."""
    flat: list[Run] = []
    for piece in _tidied(pieces):
        flat += [piece] if isinstance(piece, Run) else [*_fenced(piece.above), Run("/"), *_fenced(piece.below)]
    return tuple(flat)


def _fenced(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    text = "".join(run.text for run in runs)
    return (Run("("), *runs, Run(")")) if " " in text and not text.startswith("(") else runs


def _script(text: str, table: Mapping[str, str], mark: str) -> Run:
    """A super- or subscript in Unicode where all of its characters have one."""
    text = text.replace(" ", "")
    if all(character in table for character in text):
        return Run("".join(table[character] for character in text))
    return Run(f"{mark}{text}" if len(text) == 1 else f"{mark}({text})")


def _tidied(pieces: list[Run | Fraction]) -> Formula:
    """A leading sign without the spaces of an operator, also after an opening bracket; no empty runs."""
    tidy: list[Run | Fraction] = []
    for piece in pieces:
        if isinstance(piece, Run):
            opens = not tidy or (isinstance(tidy[-1], Run) and tidy[-1].text.endswith(("(", "[", "{")))
            if opens and piece.text.strip() in ("+", "−"):
                piece = piece._replace(text=piece.text.strip())
            if not piece.text:
                continue
            if piece.text[0] == " " and tidy and isinstance(before := tidy[-1], Run):
                tidy[-1] = before._replace(text=before.text.rstrip())
            if piece.text[0] in _CLOSE and tidy and isinstance(before := tidy[-1], Run):
                tidy[-1] = before._replace(text=before.text.rstrip()) if before.text[:1].isalpha() else before
        tidy.append(piece)
    if tidy and isinstance(last := tidy[-1], Run):
        tidy[-1] = last._replace(text=last.text.rstrip())
    return tuple(tidy)
