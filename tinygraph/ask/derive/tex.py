r"""The part of TeX that derivations are written in: read into a tree, printed as plain text or MathML.

Known are fractions, sub- and superscripts, groups, \left and \right, roman words, matrices, and the usual symbols; any
other command is shown by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Atom:
    """A symbol; its kind is "i" (a name), "n" (a number), "o" (an operator), "f" (a function) or "t" (a word)."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Fraction:
    """A numerator above a denominator."""

    above: Row
    below: Row


@dataclass(frozen=True, slots=True)
class Script:
    """A base with a subscript, a superscript, or both."""

    base: Tree
    below: Row | None
    above: Row | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of cells in round brackets."""

    rows: tuple[tuple[Row, ...], ...]


@dataclass(frozen=True, slots=True)
class Root:
    """A square root."""

    inside: Row


Tree: TypeAlias = "Atom | Fraction | Script | Matrix | Root | Row"
Row: TypeAlias = "tuple[Tree, ...]"

_SYMBOLS = {
    "partial": ("∂", "i"), "cdot": ("·", "o"), "odot": ("⊙", "o"), "times": ("×", "o"), "top": ("T", "t"),
    "sum": ("Σ", "o"), "prod": ("Π", "o"), "int": ("∫", "o"), "infty": ("∞", "n"), "ge": ("≥", "o"), "le": ("≤", "o"),
    "neq": ("≠", "o"), "leftarrow": ("←", "o"), "dots": ("…", "o"), "cdots": ("⋯", "o"), "lfloor": ("⌊", "o"),
    "rfloor": ("⌋", "o"), "Gamma": ("Γ", "i"), "Phi": ("Φ", "i"), "kappa": ("κ", "i"), "mu": ("μ", "i"),
    "phi": ("φ", "i"), "pi": ("π", "i"), "psi": ("ψ", "i"), "sigma": ("σ", "i"), "zeta": ("ζ", "i"),
    "backslash": ("\\", "t"), "sim": ("~", "t"), "wedge": ("^", "t"), "|": ("‖", "o")}
_FUNCTIONS = {"log", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min", "det"}
_WORDS = {r"\operatorname": "f", r"\mathrm": "t", r"\text": "t"}
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|[0-9]+(?:\.[0-9]+)?|.", re.S)
_NUMBERED = re.compile(r"[A-Za-z]_[0-9]|" + _TOKEN.pattern, re.S)
SUPERSCRIPTS = dict(zip("0123456789+-−=()*niT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾*ⁿⁱᵀ", strict=True))
SUBSCRIPTS = dict(zip("0123456789+-−=()ijkn", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ᵢⱼₖₙ", strict=True))


def substituted(tex: str, letters: Mapping[str, str]) -> str:
    r"""A formula with what each letter stands for put in its place; words stay as they are.

    >>> substituted(r"X^\top \cdot \operatorname{X} Y", {"X": "A_{1}", "Y": "L"})
    'A_{1}^\\top \\cdot \\operatorname{X} L'
    """
    made, word = [], False
    for token in _NUMBERED.findall(tex):
        if token in _WORDS:
            word = True
        elif token == "}":
            word = False
        made.append(token if word else letters.get(token, token))
    return "".join(made)


def escaped(text: str) -> str:
    r"""A user's words as they can stand inside \mathrm{...}, or in the text of LaTeX.

    >>> escaped("50%_a")
    '50\\%\\_a'
    """
    table = {"\\": r"\backslash ", "^": r"\wedge ", "~": r"\sim ", " ": r"\ "}
    return "".join(table.get(c, f"\\{c}" if c in "{}$&#_%" else c) for c in text)


def parse(tex: str) -> Row:
    r"""Read a formula into a tree.

    >>> plain(parse(r"\frac{1}{N} (Y - T)")), plain(parse(r"X^\top \cdot \frac{\partial L}{\partial Y}"))
    ('1/N (Y − T)', 'Xᵀ · ∂L/∂Y')
    """
    return _Reader(tex).row(("",))


class _Reader:
    """Goes through the tokens once."""

    def __init__(self, tex: str) -> None:
        self.tokens: list[str] = _TOKEN.findall(tex)
        self.at = 0

    @property
    def _now(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _skip(self) -> str:
        while self._now.isspace():
            self.at += 1
        return self._now

    def row(self, ends: tuple[str, ...]) -> Row:
        """The pieces up to one of these tokens, which is left standing; the end of the text ends every row."""
        pieces: list[Tree] = []
        while (token := self._skip()) not in ends and token:
            if token in "^_":
                base = pieces.pop() if pieces else Atom("", "t")
                pieces.append(self._script(base))
            else:
                pieces += self._atom()
        return tuple(pieces)

    def _script(self, base: Tree) -> Script:
        parts: dict[str, Row | None] = {"_": None, "^": None}
        while (mark := self._skip()) and mark in "^_":
            self.at += 1
            self._skip()
            parts[mark] = tuple(self._atom())
        return Script(base, parts["_"], parts["^"])

    def _group(self) -> Row:
        """What stands in braces, or else one atom."""
        if self._skip() != "{":
            return tuple(self._atom())
        self.at += 1
        inside = self.row(("}",))
        self.at += 1
        return inside

    def _atom(self) -> list[Tree]:
        token = self._skip()
        if token == "{":
            return list(self._group())
        self.at += 1
        if token == r"\frac":
            return [Fraction(self._group(), self._group())]
        if token == r"\sqrt":
            return [Root(self._group())]
        if token == r"\begin":
            return [self._matrix()]
        if token in _WORDS:
            return [Atom(self._word(), _WORDS[token])]
        if token in (r"\left", r"\right", r"\quad", r"\,", r"\;", r"\!"):
            return []
        if token.startswith("\\"):
            name = token[1:]
            return [Atom(*_SYMBOLS.get(name, (name, "f" if name in _FUNCTIONS else "t")))]
        if token[:1].isdigit():
            return [Atom(token, "n")]
        return [Atom("−" if token == "-" else token, "i" if token.isalpha() else "o")] if token else []

    def _word(self) -> str:
        """The words in braces as they are, escaped characters restored."""
        self._skip()
        self.at += 1
        made = []
        while (token := self._now) and token != "}":
            name = token[1:]
            made.append(_SYMBOLS[name][0] if token[0] == "\\" and name in _SYMBOLS else name
                        if token[0] == "\\" else token)
            self.at += 1
            if token[0] == "\\" and name.isalpha() and self._now == " ":  # which only ends the command
                self.at += 1
        self.at += 1
        return "".join(made)

    def _matrix(self) -> Matrix:
        self._group()
        rows, cells = [], []
        while True:
            cells.append(self.row(("&", r"\\", r"\end")))
            token = self._now
            self.at += 1
            if token != "&":
                rows.append(tuple(cells))
                cells = []
            if token in (r"\end", ""):
                self._group()
                return Matrix(tuple(rows))


# --- plain text -------------------------------------------------------------------------------------------------------

_SPACED = {"+", "−", "=", "·", "⊙", "×", ">", "<", "≥", "≤", "≠", "←"}


def plain(row: Row) -> str:
    r"""A formula in one line of Unicode text.

    >>> plain(parse(r"-\frac{a + b}{2} \log X_{12}"))
    '−(a + b)/2 log X₁₂'
    """
    text, before = "", None
    for piece in row:
        part = _plain(piece)
        if isinstance(piece, Atom) and piece.kind == "o" and piece.text in _SPACED:
            leads = before is None or (isinstance(before, Atom) and before.text in "([{=,")
            part = part if leads else f" {part} "
        elif _apart(before, piece) and not text.endswith(" "):
            part = f" {part}"
        text += part
        before = piece
    return re.sub(r" {2,}", " ", text).strip()


def _apart(before: Tree | None, piece: Tree) -> bool:
    """Whether what stands side by side in two dimensions needs a space in one."""
    if before is None:
        return False
    if isinstance(piece, Script):
        piece = piece.base
    if isinstance(before, Atom) and (before.text == "∂" or (before.kind == "o" and before.text not in ")],Σ")):
        return False
    if isinstance(piece, Atom):
        opens = piece.kind == "o" and piece.text in "(["
        if opens:
            return isinstance(before, Fraction) or (isinstance(before, Script) and before.base == Atom("Σ", "o"))
        if piece.kind == "o" and piece.text not in ("Σ", "Π"):
            return False
        return not (isinstance(before, Atom) and before.kind == "n" and piece.kind == "i" and piece.text != "∂")
    return True


def _plain(piece: Tree) -> str:
    if isinstance(piece, Atom):
        return piece.text
    if isinstance(piece, Fraction):
        return f"{_grouped(plain(piece.above))}/{_grouped(plain(piece.below))}"
    if isinstance(piece, Root):
        return f"√{_grouped(plain(piece.inside))}"
    if isinstance(piece, Matrix):
        rows = [", ".join(plain(cell) for cell in cells) for cells in piece.rows]
        return f"({rows[0]})" if len(rows) == 1 else f"({', '.join(f'({row})' for row in rows)})"
    if isinstance(piece, Script):
        text = _plain(piece.base)
        for mark, table, inner in (("_", SUBSCRIPTS, piece.below), ("^", SUPERSCRIPTS, piece.above)):
            if inner is not None:
                text += _script(plain(inner), mark, table)
        return text
    return plain(piece)


def _grouped(text: str) -> str:
    return f"({text})" if " " in text and not (text.startswith("(") and text.endswith(")")) else text


def _script(text: str, mark: str, table: Mapping[str, str]) -> str:
    close = text.replace(" ", "")
    if all(character in table for character in close):
        return "".join(table[character] for character in close)
    return f"{mark}{text}" if len(text) == 1 else f"{mark}({text})"


# --- MathML -----------------------------------------------------------------------------------------------------------


def mathml(row: Row) -> str:
    """A formula in MathML, which browsers show without any script; everything that a user wrote is escaped.

    >>> mathml(parse("x < 2"))
    '<mrow><mi>x</mi><mo>&lt;</mo><mn>2</mn></mrow>'
    """
    parts = []
    before: Tree | None = None
    low = _low_brackets(row)
    for i, piece in enumerate(row):
        # After a word, as in "min -0.5", MathML would take the sign for a subtraction.
        signs = piece == Atom("−", "o") and isinstance(before, Atom) and before.kind == "t"
        if i in low:
            parts.append(f'<mo stretchy="false">{low[i]}</mo>')
        else:
            parts.append('<mo form="prefix">−</mo>' if signs else _mathml(piece))
        before = piece
    return f"<mrow>{''.join(parts)}</mrow>"


def _low_brackets(row: Row) -> dict[int, str]:
    """The brackets with nothing high between them, by their places; a browser would stretch them to what is beside."""
    found: dict[int, str] = {}
    opened: list[tuple[int, str]] = []
    for i, piece in enumerate(row):
        text = piece.text if isinstance(piece, Atom) and piece.kind == "o" else ""
        if text and text in "([":
            opened.append((i, text))
        elif text and text in ")]" and opened:
            j, other = opened.pop()
            if not any(isinstance(inner, Fraction | Matrix | Root) for inner in row[j:i]):
                found |= {j: other, i: text}
    return found


def _mathml(piece: Tree) -> str:
    if isinstance(piece, Atom):
        text = escape(piece.text)
        if piece.kind == "f":
            return f"<mi mathvariant=\"normal\">{text}</mi><mo>&#8289;</mo>"
        if piece.kind == "t":
            return f"<mtext>{text.replace(' ', '&#160;')}</mtext>"
        if text == "Σ":
            return "<mo>&#8721;</mo>"  # the sign of a sum, which is set larger than the letter
        return f"<m{piece.kind}>{text}</m{piece.kind}>"
    if isinstance(piece, Fraction):
        return f"<mfrac>{mathml(piece.above)}{mathml(piece.below)}</mfrac>"
    if isinstance(piece, Root):
        return f"<msqrt>{mathml(piece.inside)}</msqrt>"
    if isinstance(piece, Matrix):
        rows = "".join(f"<mtr>{''.join(f'<mtd>{mathml(cell)}</mtd>' for cell in cells)}</mtr>" for cells in piece.rows)
        return f"<mrow><mo>(</mo><mtable>{rows}</mtable><mo>)</mo></mrow>"
    if isinstance(piece, Script):
        base = f"<mrow>{_mathml(piece.base)}</mrow>"
        parts = [(name, mathml(inner)) for name, inner in (("sub", piece.below), ("sup", piece.above))
                 if inner is not None]
        under = isinstance(piece.base, Atom) and piece.base.text == "Σ"
        kind = "munder" if under and len(parts) == 1 and parts[0][0] == "sub" else "m" + "".join(n for n, _ in parts)
        return f"<{kind}>{base}{''.join(inner for _, inner in parts)}</{kind}>"
    return mathml(piece)
