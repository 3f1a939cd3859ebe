"""Nested dicts, lists and tuples of arrays: taken apart into their leaves, and put together again, by optree.

An array, a Tensor or a number is a leaf by itself; optree is imported when a container is first met.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygraph.core.arguments import is_array
from tinygraph.core.errors import ArgumentError
from tinygraph.core.messages import here


class Structure:
    """What is left of a value when its leaves are taken out: the containers, and the way to each leaf."""

    __slots__ = ("_spec",)

    def __init__(self, spec: Any = None) -> None:
        self._spec = spec  # optree's; None where the value is a leaf itself

    @property
    def is_leaf(self) -> bool:
        """Whether there is no container at all."""
        return self._spec is None

    @property
    def size(self) -> int:
        """The number of leaves."""
        return 1 if self._spec is None else int(self._spec.num_leaves)

    def paths(self) -> list[str]:
        """How each leaf is reached, as Python writes it: ``['layers'][0]``."""
        return [""] if self._spec is None else [accessor.codify("") for accessor in self._spec.accessors()]

    def build(self, leaves: Sequence[Any]) -> Any:
        """The containers with other leaves."""
        return leaves[0] if self._spec is None else self._spec.unflatten(leaves)

    def match(self, value: Any, what: str) -> list[Any]:
        """What stands in another value where this one has its leaves; None for a container stands for None in each.

        ``what`` names the value in the ArgumentError that says why it does not have these containers.
        """
        if self._spec is None:
            return [value]
        try:
            return _match(self._spec, value)
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise ArgumentError(f"{what} has other containers than what it belongs to: {reason}{here()}") from None


def _match(spec: Any, value: Any) -> list[Any]:
    if value is None:
        return [None] * int(spec.num_leaves)
    if spec.is_leaf():
        return [value]
    parts = spec.one_level().flatten_up_to(value)
    return [leaf for child, part in zip(spec.children(), parts, strict=True) for leaf in _match(child, part)]


LEAF = Structure()


def flatten(value: Any) -> tuple[list[Any], Structure]:
    """The leaves of a value and its structure; None counts as an empty container.

    >>> leaves, structure = flatten({"w": 1.0, "b": (2.0, 3.0)})
    >>> leaves, structure.paths()
    ([2.0, 3.0, 1.0], ["['b'][0]", "['b'][1]", "['w']"])
    >>> structure.build([20.0, 30.0, 10.0])
    {'w': 10.0, 'b': (20.0, 30.0)}
    """
    if isinstance(value, np.generic | int | float | complex | str) or is_array(value):
        return [value], LEAF
    import optree

    leaves, spec = optree.tree_flatten(value)
    return leaves, LEAF if len(leaves) == 1 and leaves[0] is value else Structure(spec)
