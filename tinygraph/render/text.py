"""What a picture writes: names as a textbook sets them, expressions of their inputs, numbers, arrays summed up."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from tinygraph.analysis import Outline, one_line
from tinygraph.core.op import Op
from tinygraph.render.formula import SUBSCRIPTS, SUPERSCRIPTS, Run

PRINTED = 6
"""An array of more elements than this is summed up."""

LONGEST = 12
"""An expression of more characters gets a name of its own, v with its node's number."""

LITERAL = 18
"""A value of more characters stands in a line of its own."""

DASH = "–"
"""Stands for a gradient that is not known."""

_INDEXED = re.compile(r"([^\W\d_])_?(\d{1,3})")
_PLACEHOLDER = re.compile(r"(?<![a-z])x(?![a-z])")
_INFIX = {"dot": "·"}


class Text(NamedTuple):
    """How a value is written where it is used; one that is not ``whole`` takes brackets beside an operator."""

    runs: tuple[Run, ...]
    whole: bool = True

    @property
    def plain(self) -> str:
        """The characters alone."""
        return "".join(run.text for run in self.runs)

    @property
    def bracketed(self) -> tuple[Run, ...]:
        """The runs, in brackets where they need them."""
        return self.runs if self.whole else (Run("("), *self.runs, Run(")"))


def named(name: str, ndim: int) -> Text:
    """A user's name: one letter in italics, bold for an array, with its number as an index; a word upright.

    >>> named("W1", 2).plain, named("hidden", 2).runs[0].italic
    ('W₁', False)
    """
    line = one_line(name)
    if len(line) == 1 and line.isalpha():
        return Text((Run(line, italic=True, bold=ndim > 0),))
    if match := _INDEXED.fullmatch(line):
        return Text((Run(match[1], italic=True, bold=ndim > 0), Run("".join(SUBSCRIPTS[d] for d in match[2]))))
    return Text((Run(line),), whole=" " not in line)


def numbered(id: int, ndim: int) -> Text:
    """The name of a value that has none and whose expression would be too long.

    >>> numbered(12, 0).plain
    'v₁₂'
    """
    return Text((Run("v", italic=True, bold=ndim > 0), Run("".join(SUBSCRIPTS[digit] for digit in str(id)))))


def expression(op: Op[..., Any], inputs: list[Text]) -> Text:
    """An op's value written with its inputs, by the form of its symbol.

    A symbol with an x in it is a pattern for one input, a sign stands between two, anything else is a function's name.

    >>> from tinygraph.core.op import OPS
    >>> a, b = named("a", 0), named("b", 0)
    >>> expression(OPS["add"], [a, b]).plain, expression(OPS["exp"], [a]).plain, expression(OPS["square"], [a]).plain
    ('a + b', 'exp(a)', 'a²')
    """
    symbol = one_line(op.symbol)
    if len(inputs) == 1 and symbol != "x" and len(parts := _PLACEHOLDER.split(symbol, maxsplit=1)) == 2:
        fenced = parts[0] == parts[1]
        return Text((Run(parts[0]), *(inputs[0].runs if fenced else inputs[0].bracketed), Run(parts[1])),
                    whole=fenced or len(parts[0] + parts[1]) == 1)
    sign = _INFIX.get(symbol, symbol)
    if not any(character.isalpha() and character != "Σ" for character in sign):
        if len(inputs) == 2 and len(sign) <= 2 and sign != "Σ":
            gap = "" if sign == "·" else " "
            return Text((*inputs[0].bracketed, Run(f"{gap}{sign}{gap}"), *inputs[1].bracketed), whole=False)
        if len(inputs) == 1 and len(sign) == 1:
            return Text((Run(f"{sign} " if sign == "Σ" else sign), *inputs[0].bracketed), whole=sign == "√")
        if symbol.startswith("[ ]") and inputs:
            return Text((*inputs[0].bracketed, Run("[…]")))
    if symbol == "pow" and len(inputs) == 2 and all(c in SUPERSCRIPTS for c in inputs[1].plain):
        power = "".join(SUPERSCRIPTS[c] for c in inputs[1].plain)
        return Text((*inputs[0].bracketed, Run(power)))
    if symbol == "T" and len(inputs) == 1:
        return Text((*inputs[0].bracketed, Run(SUPERSCRIPTS["T"])))
    runs: list[Run] = []
    for text in inputs:
        runs += [Run(", "), *text.runs] if runs else text.runs
    return Text((Run(f"{symbol}("), *runs, Run(")")))


def constant(value: Any, argument: str) -> Text:
    """An input that is no node: a number or a few as they are, a larger array by the name of the op's argument.

    >>> constant(-1, "b").plain, constant(np.array([0.0, 1.0]), "t").plain, constant(np.ones(50), "t").plain
    ('-1', '(0, 1)', 't')
    """
    return literal(value) or named(argument, np.ndim(value))


def literal(value: Any) -> Text | None:
    """A number, or an array of a few, written out; None for what is too long for that.

    >>> literal(np.zeros(50)) is None
    True
    """
    lines = printed(value) if np.size(value) <= PRINTED else []
    if len(lines) != 1 or len(lines[0]) > LITERAL:
        return None
    return Text((Run(lines[0]),), whole=not lines[0].startswith("-"))


def number(x: Any) -> str:
    """A number with three significant digits; whole ones below a million in full.

    >>> [number(x) for x in (0.018211, -0.75481, 54.598, 1234.0, 1e9, -0.0, True, 1j)]
    ['0.0182', '-0.755', '54.6', '1234', '1e+09', '0', 'True', '1j']
    """
    if isinstance(x, bool) or not isinstance(x, int | float | complex):
        return one_line(str(x), 12)
    if isinstance(x, complex):
        return f"{x.real + 0.0:.3g}{x.imag + 0.0:+.3g}j" if x.real else f"{x.imag + 0.0:.3g}j"
    return f"{x + 0.0:.0f}" if x == 0 or 999.5 <= abs(x) < 1e6 else f"{x:.3g}"


def printed(value: Any) -> list[str]:
    """A value in at most three short lines: a few numbers as they are, many by least, greatest, mean, share of zeros.

    Nothing at all for an array that cannot be read as numbers.

    >>> printed(np.array([0.3, 2.9, 4.0])), printed(np.arange(100.0))
    (['(0.3, 2.9, 4)'], ['min 0, max 99', 'mean 49.5, zeros 1%'])
    """
    if isinstance(value, Outline):
        return list(value.lines)
    try:
        size = int(np.size(value))
        if size == 0:
            return ["empty"]
        if size > PRINTED:
            with np.errstate(all="ignore"):  # a mean may overflow where no element does
                return _summed_up(value, size)
        items = value.tolist() if hasattr(value, "tolist") else value
    except (TypeError, ValueError, AttributeError, NotImplementedError):
        return []
    if isinstance(items, list) and len(items) > 1 and all(isinstance(row, list) for row in items):
        return [_nested(row) for row in items] if len(items) <= 3 else [_nested(items)]
    return [_nested(items)]


def _nested(items: Any) -> str:
    return f"({', '.join(map(_nested, items))})" if isinstance(items, list) else number(items)


def _summed_up(value: Any, size: int) -> list[str]:
    if value.dtype.kind not in "biufc":
        return []
    if value.dtype.kind == "b":
        return [f"true {_share(int(np.count_nonzero(value)), size)}"]
    sized, bars = (np.absolute(value), "|·| ") if value.dtype.kind == "c" else (value, "")
    finite = np.isfinite(sized)
    fit = int(np.sum(finite))
    lines = []
    if fit:
        low = np.min(sized, where=finite, initial=np.inf) if fit < size else np.min(sized)
        high = np.max(sized, where=finite, initial=-np.inf) if fit < size else np.max(sized)
        mean = float(np.mean(sized, where=finite) if fit < size else np.mean(sized))
        if sized.dtype.kind == "f" and abs(mean) < np.finfo(sized.dtype).eps * max(abs(low), abs(high)):
            mean = 0.0  # what is left is rounding, and differs from machine to machine
        if low == high and fit == size:
            return [f"{bars}all {number(low.item())}"]
        lines = [f"{bars}min {number(low.item())}, max {number(high.item())}",
                 f"mean {number(mean)}, zeros {_share(size - int(np.count_nonzero(value)), size)}"]
    missing = int(np.sum(np.isnan(value)))
    if missing or fit + missing < size:
        lines.append(", ".join(f"{n} {what}" for n, what in ((missing, "NaN"), (size - fit - missing, "inf")) if n))
    return lines


def _share(part: int, whole: int) -> str:
    """A percentage that says 0 and 100 only where it is none and all."""
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "<1%"
    return ">99%" if 99 < percent < 100 else f"{percent:.0f}%"
