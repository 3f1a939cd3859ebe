"""Einstein's summation: any product of arrays summed over any of its axes.

The derivative of an einsum in one operand is an einsum again, of the cotangent and the other operands, with the
subscripts exchanged. What is left is what an axis of that operand alone says: one that is summed away there copies, one
that it has twice is a diagonal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygraph.core.arguments import Array
from tinygraph.core.op import op
from tinygraph.ops.join import places_of, shape_of

__all__ = ["einsum"]

Labels = list[Any]
"""The name of each axis: a letter or a number as the user has it; below zero for the axes that an ellipsis covers."""


def _term(subscripts: Any) -> Labels:
    """The labels of one operand; an ellipsis is still one of them."""
    return [Ellipsis if label == "." else label
            for label in (subscripts.replace("...", ".") if isinstance(subscripts, str) else subscripts)]


def _read(operands: Any) -> tuple[list[Array], list[Labels], Labels]:
    """The arrays, the labels of their axes, the labels of the result, whichever way they were given."""
    if isinstance(operands[0], str):
        given, arrow, wanted = operands[0].replace(" ", "").partition("->")
        arrays, terms = list(operands[1:]), [_term(part) for part in given.split(",")]
        output = _term(wanted) if arrow else None
    else:
        arrays, terms = list(operands[:len(operands) // 2 * 2:2]), [_term(part) for part in operands[1::2]]
        output = _term(operands[-1]) if len(operands) % 2 else None
    covered = [range(len(term) - 1 - len(shape_of(a)), 0) if Ellipsis in term else range(0)
               for a, term in zip(arrays, terms, strict=True)]
    widest = range(min((axes.start for axes in covered if len(axes)), default=0), 0)
    terms = [_filled(term, axes) for term, axes in zip(terms, covered, strict=True)]
    if output is None:
        everywhere = [label for term in terms for label in term]
        output = [*widest, *sorted(label for label in set(everywhere) - set(widest) if everywhere.count(label) == 1)]
    return arrays, terms, _filled(output, widest)


def _filled(term: Labels, axes: range) -> Labels:
    """A term with the labels of the axes that its ellipsis covers."""
    if Ellipsis not in term:
        return term
    at = term.index(Ellipsis)
    return [*term[:at], *axes, *term[at + 1:]]


def _sizes(arrays: list[Array], terms: list[Labels]) -> dict[Any, int]:
    """The size of each label; where an operand has size 1 it broadcasts."""
    sizes: dict[Any, int] = {}
    for a, term in zip(arrays, terms, strict=True):
        for label, size in zip(term, shape_of(a), strict=True):
            sizes[label] = size if size != 1 else sizes.get(label, 1)
    return sizes


def _einsum_back(g: Array, y: Array, *inputs: Array, operands: Any, optimize: Any, k: int) -> Array:
    arrays, terms, output = _read(operands)
    place, *within = places_of(operands)[k]  # arrays may stand within a list that is an operand
    i = place - 1 if isinstance(operands[0], str) else place // 2
    own = terms[i]
    size = dict(zip(own, shape_of(arrays[i]), strict=True))
    known = [(g, output)] + [pair for j, pair in enumerate(zip(arrays, terms, strict=True)) if j != i]
    asked = [label for label in size if size[label] != 1 and any(label in labels for _, labels in known)]
    number = {label: n for n, label in enumerate(dict.fromkeys(label for _, labels in known for label in labels))}
    flat = [part for a, labels in known for part in (a, [number[label] for label in labels])]
    c = np.einsum(*flat, [number[label] for label in asked], optimize=optimize if isinstance(optimize, bool) else True)
    # An axis that only this operand has was summed there: each of its elements has the same derivative.
    found = dict(zip(asked, np.shape(c), strict=True))
    c = np.broadcast_to(np.reshape(c, [found.get(label, 1) for label in size]), list(size.values()))
    c = _on_diagonals(c, own, shape_of(arrays[i]))
    return c[tuple(within)] if within else c


def _on_diagonals(c: Array, own: Labels, shape: tuple[int, ...]) -> Array:
    """c, which has each label once, as an array that has some labels twice and is zero off their diagonals."""
    c = np.reshape(c, [n if own.index(label) == axis else 1
                       for axis, (label, n) in enumerate(zip(own, shape, strict=True))])
    for axis, label in enumerate(own):
        if (first := own.index(label)) != axis:
            places = np.arange(shape[axis], like=c)
            along = [np.reshape(places, [-1 if i == a else 1 for i in range(len(own))]) for a in (first, axis)]
            c = np.where(along[0] == along[1], c, 0)
    return c


def _mismatch(*, operands: Any, **params: Any) -> str:
    """Which subscript does not fit which shape."""
    told = repr(operands[0]) if isinstance(operands[0], str) else "these lists of labels"
    given = operands[1:] if isinstance(operands[0], str) else operands[:len(operands) // 2 * 2:2]
    told += " for " + ", ".join(str(shape_of(a)) for a in given)
    if isinstance(operands[0], str) and (named := operands[0].partition("->")[0].count(",") + 1) != len(given):
        return f"{told}: {named} operands are named, and {len(given)} given"
    arrays, terms, output = _read(operands)
    sizes: dict[Any, int] = {}
    for a, term in zip(arrays, terms, strict=True):
        if len(term) != len(shape_of(a)):
            return f"{told}: {''.join(map(str, term))} names {len(term)} axes of {shape_of(a)}"
        for label, size in zip(term, shape_of(a), strict=True):
            if size != sizes.setdefault(label, size) and 1 not in (size, sizes[label]):
                return f"{told}: {label} is {sizes[label]} in one place and {size} in another"
            sizes[label] = max(size, sizes[label]) if size else 0
    if unknown := [label for label in output if label not in sizes]:
        return f"{told}: the result has {unknown[0]}, which no operand has"
    if twice := [label for label in output if output.count(label) > 1]:
        return f"{told}: the result has {twice[0]} twice"
    if any(label not in output for label in sizes if isinstance(label, int) and label < 0):
        return f"{told}: the axes that the dots cover must be in the result"
    return f"{told}: they do not fit"


def _cost(y: Array, *inputs: Array, operands: Any, **params: Any) -> int:
    """As many products as there are combinations of all labels, each with one addition; ``optimize`` may need fewer."""
    arrays, terms, _ = _read(operands)
    combinations = 1
    for size in _sizes(arrays, terms).values():
        combinations *= size
    return combinations * max(len(arrays), 1)


@op(symbol="einsum", numpy=np.einsum, nested="operands", flops=_cost, mismatch=_mismatch,
    tex=(r"\operatorname{einsum}(g, \dots)",), vjp={"operands": _einsum_back})
def einsum(*operands: Any, out: None = None, optimize: Any = False, dtype: Any = None, order: Any = "K",
           casting: Any = "safe") -> Array:
    """Sum of products by subscripts: "ij,jk->ik" names the axes of each operand and those of the result.

    A label that the result lacks is summed over; without "->" it has those that stand once, in alphabetical order. A
    label twice in one operand is its diagonal, "..." are axes that broadcast, and a size of 1 broadcasts too. The
    subscripts may also follow each operand as a list: ``einsum(a, [0, 1], b, [1, 2], [0, 2])``. ``optimize`` has the
    order of the products chosen.

    >>> a = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> einsum("ii", a), einsum("ij->j", a), einsum("ij,jk", a, a)
    (np.float64(5.0), array([4., 6.]), array([[ 7., 10.],
           [15., 22.]]))
    """
    return np.einsum(*operands, optimize=optimize, **({} if dtype is None else {"dtype": dtype}), order=order,
                     casting=casting)
