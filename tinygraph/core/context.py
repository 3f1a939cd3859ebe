"""What is switched on in this thread or task, and the hooks by which a lower floor reaches a higher one.

Switches are context variables: each thread and each asyncio task has its own, and leaving a ``with`` block, by an
exception too, puts back what was there before.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

GRAD_ENABLED: ContextVar[bool] = ContextVar("grad_enabled", default=True)

_SCOPES = count()


class Watch(Protocol):
    """Who is shown what the engine does while `tinygraph.debug` is on; it raises where it finds a fault."""

    def made(self, node: Any) -> None:
        """See a node that was recorded."""

    def computed(self, op: Any, parents: tuple[Any, ...], value: Any) -> None:
        """See the result of an op that was not recorded."""

    def goes_back(self, root: Any) -> None:
        """See that backward was called."""

    def sweep(self, root: Any, seed: Any, kind: Any) -> Any:
        """Give who is shown one sweep through the graph."""


class Marks(NamedTuple):
    """What is done to each node that is made now: it is given a scope, and shown to a watch."""

    scope: tuple[str, ...] = ()
    watch: Watch | None = None


# One variable for both, and None where nobody wants either: a look-up costs 35 ns.
MARKS: ContextVar[Marks | None] = ContextVar("marks", default=None)

# The watches that are on anywhere in the process: while there are none, an op that is not recorded looks no further.
WATCHES: list[Watch] = []


def watching() -> Watch | None:
    """The watch that is on in this thread or task."""
    marks = MARKS.get()
    return None if marks is None else marks.watch


# Who is told that somebody looked at a switch of an object's, a module's ``training`` say: a recording, which holds for
# that setting alone.
SWITCHES: list[Callable[[Any, str, Any], None]] = []

# Filled in by the upper floors when they are first imported: a Tensor's picture in a notebook, for one.
HOOKS: dict[str, Callable[..., Any]] = {}


class _GradMode(ContextDecorator):
    enabled: bool

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> Self:
        self._tokens.append(GRAD_ENABLED.set(self.enabled))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        GRAD_ENABLED.reset(self._tokens.pop())

    def _recreate_cm(self) -> Self:
        """Give each call of a decorated function a switch of its own, so that two threads may run it at once."""
        return type(self)()


class scope(ContextDecorator):  # noqa: N801 - a function in the user's eyes
    """Group what is computed inside under a name, for pictures and tables; scopes nest.

    A context manager and, called with a name, a decorator. Each time it is entered is a group of its own.

    name: what the group is called, such as "encoder"

    >>> import tinygraph as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> with tg.scope("encoder"), tg.scope("square"):
    ...     y = x * x
    >>> [group.split("#")[0] for group in y.node.scope]
    ['encoder', 'square']
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._tokens: list[Token[Marks | None]] = []

    def __enter__(self) -> Self:
        # The number tells two uses of one name apart: a layer that is called twice is two groups.
        marks = MARKS.get() or Marks()
        self._tokens.append(MARKS.set(marks._replace(scope=(*marks.scope, f"{self.name}#{next(_SCOPES)}"))))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        MARKS.reset(self._tokens.pop())

    def _recreate_cm(self) -> Self:
        return type(self)(self.name)


class no_grad(_GradMode):  # noqa: N801 - a function in the user's eyes
    """Record nothing: what is computed inside has no parents, and ``w -= ...`` on a leaf writes in place.

    A context manager and, called with brackets, a decorator.

    >>> import tinygraph as tg
    >>> w = tg.tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     w -= 0.5
    >>> w.data
    array([0.5, 1.5])
    """

    enabled = False


class enable_grad(_GradMode):  # noqa: N801 - a function in the user's eyes
    """Record again, inside a ``no_grad`` block. A context manager and, called with brackets, a decorator.

    >>> import tinygraph as tg
    >>> w = tg.tensor(3.0, requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     y = w * w
    >>> y.requires_grad
    True
    """

    enabled = True


def is_grad_enabled() -> bool:
    """Tell whether operations are being recorded in this thread or task.

    >>> import tinygraph as tg
    >>> with tg.no_grad():
    ...     tg.is_grad_enabled()
    False
    """
    return GRAD_ENABLED.get()
