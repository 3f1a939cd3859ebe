"""Stop at the first wrong number: while `debug` is on, each value, rule and array of a graph is looked at."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import Token
from types import TracebackType
from typing import Self

from tinygraph.ask.debug.forward import Watch
from tinygraph.core.context import MARKS, WATCHES, Marks
from tinygraph.core.errors import ArgumentError
from tinygraph.core.messages import here


class debug(ContextDecorator):  # noqa: N801 - a function in the user's eyes
    """Raise DebugError where a number, a rule or an array of the graph goes wrong, naming op and line.

    A context manager and, called with brackets, a decorator. Each thread and asyncio task has its own. What is made and
    gone back through inside is watched for:

    - the first NaN or infinity, in a value or in a gradient. An infinity that was put in, as in a mask, may pass.
    - an array that a gradient depends on and that was written into since the forward: a weight that was updated before
      backward, a buffer that a loader filled again.
    - a rule that writes into what it is given, and two gradients in one array.
    - a value of other precision than the tensor it was computed from, unless ``dtype=`` or ``astype`` asked for it.
    - graphs of more than ``graphs`` earlier calls of ``backward()`` still in memory.

    Values are copied as they are recorded, so it takes about twice the memory of the graph, and two to three times
    the time. Outside, it costs nothing.

    graphs: how many calls of backward may leave their graphs behind

    >>> import numpy as np
    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> with np.errstate(all="ignore"), tg.debug():
    ...     y = np.log(x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygraph.core.errors.DebugError: log: infinity at [1], in 1 of 2 elements of its result: the logarithm of 0 is ...
    """

    def __init__(self, *, graphs: int = 10) -> None:
        if graphs < 1:
            raise ArgumentError(f"debug: graphs is how many old graphs may be kept, at least 1, not {graphs}{here()}")
        self.graphs = graphs
        self._entered: list[tuple[Token[Marks | None], Watch]] = []

    def __enter__(self) -> Self:
        watch = Watch(self.graphs)
        WATCHES.append(watch)
        self._entered.append((MARKS.set((MARKS.get() or Marks())._replace(watch=watch)), watch))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        token, watch = self._entered.pop()
        WATCHES.remove(watch)
        MARKS.reset(token)

    def _recreate_cm(self) -> Self:
        """Give each call of a decorated function a watch of its own, so that two threads may run it at once."""
        return type(self)(graphs=self.graphs)
