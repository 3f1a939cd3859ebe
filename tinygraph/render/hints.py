"""Hints: what a user may say about the layout of a picture, where the automatic one is not the one wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tinygraph.core.arguments import Handle

Arrow: TypeAlias = Handle | tuple[Handle, Handle]
"""A tensor, or (a tensor, the one computed from it): the whole gradient, or what comes back along one use."""


@dataclass(frozen=True)
class Hints:
    r"""Where things stand in a picture, and what is written at its backward arrows.

    Attributes:
        main: The tensors of the main line, which is drawn straight, in the order of the data.
        rows: Further straight lines, each a sequence of tensors, from the top of the picture down.
        clusters: What is framed together: tensors by the frame's title. `tinygraph.scope` frames what is computed
            inside it without a hint.
        formulas: What to write at a backward arrow, in the TeX of an op's card, in place of the card's own formula;
            "" for nothing. The key is a tensor, or (tensor, the one computed from it) for one use among several.
        sizes: Letters for lengths: with ``{"N": 4}`` each axis of length 4 reads N.

    `tinygraph.draw` takes them, and raises ArgumentError for a tensor that is no part of its graph.

    >>> import tinygraph as tg
    >>> a = tg.tensor(1.0, requires_grad=True, name="a")
    >>> b = tg.tensor(2.0, requires_grad=True, name="b")
    >>> y = a * b
    >>> hints = tg.Hints(main=[b, y], clusters={"product": [y]}, formulas={a: r"b \frac{\partial L}{\partial y}"})
    >>> [group.title for group in tg.draw(y, hints=hints).scene.groups]
    ['product']
    """

    main: Sequence[Handle] = ()
    rows: Sequence[Sequence[Handle]] = ()
    clusters: Mapping[str, Sequence[Handle]] = field(default_factory=dict)
    formulas: Mapping[Arrow, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
