"""Every error that tinygraph raises on purpose, each also a kind of the built-in error that fits it.

>>> issubclass(ShapeError, TinygraphError) and issubclass(ShapeError, ValueError)
True
"""

from __future__ import annotations

from typing import Any

import numpy as np


class TinygraphError(Exception):
    """What all of tinygraph's own errors have in common: ``except tg.TinygraphError`` catches each of them."""

    failed: Any = None
    """The op that raised it and its inputs, where there is one; `graph` makes a graph of them."""

    @property
    def graph(self) -> Any:
        """The graph up to the op that failed, for `tinygraph.draw`; None where no op on a tensor raised it."""
        error: BaseException | None = self
        while error is not None:
            if (failed := getattr(error, "failed", None)) is not None:
                return failed.graph(str(self))
            error = error.__cause__
        return None

    def __reduce__(self) -> Any:
        # Between processes the message goes, and not the graph.
        reduced: Any = super().__reduce__()
        kind, args, *state = reduced
        kept = {name: fact for facts in state for name, fact in facts.items() if name != "failed"}
        return (kind, args, kept) if kept else (kind, args)


class ShapeError(TinygraphError, ValueError):
    """Shapes that do not fit together, an axis that does not exist, or a wrong number of elements."""


class LinAlgError(TinygraphError, np.linalg.LinAlgError):
    """A matrix that is singular, not positive definite or not square where it must be; NumPy's LinAlgError too."""


class DTypeError(TinygraphError, TypeError):
    """A dtype that cannot do what was asked of it, such as an integer tensor that should carry a gradient."""


class ArgumentError(TinygraphError, ValueError):
    """An argument whose type and shape are fine and whose value is not."""


class UnsupportedError(TinygraphError, TypeError):
    """A NumPy function, method or keyword that no op of tinygraph covers."""


class GradientError(TinygraphError, RuntimeError):
    """A gradient that was asked for where there is none, or that would silently come out wrong."""


class DebugError(TinygraphError, RuntimeError):
    """A fault that `tinygraph.debug` found; ``kind`` tells which, ``facts`` holds op, place and the like by name."""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self._facts = facts

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of the fault; those of the error that it was made from, where an op retold it."""
        cause = self.__cause__
        return cause.facts if not self._facts and isinstance(cause, DebugError) else self._facts

    @property
    def kind(self) -> str | None:
        """``"non-finite"``, ``"written"``, ``"rule wrote"``, ``"shared"``, ``"dtype"`` or ``"leak"``."""
        return self.facts.get("kind")

    def as_dict(self) -> dict[str, Any]:
        """The message and the facts as plain data."""
        return {"message": str(self), **self.facts}


class TraceError(TinygraphError, RuntimeError):
    """A step that cannot be compiled as it stands; the message names the line and the remedy."""


class DataError(TinygraphError, ValueError):
    """A data file that is truncated, corrupt, hostile or not what its name says; or data that cannot be had."""


class StateError(TinygraphError, ValueError):
    """A file of saved state that is not whole, or that does not fit what it is loaded into."""


class ScriptError(TinygraphError, ValueError):
    """A model script that does not meet the contract of the command line."""


class MissingDependencyError(TinygraphError, ImportError):
    """A program or an optional package that is needed here and not installed; the message says how to install it."""
