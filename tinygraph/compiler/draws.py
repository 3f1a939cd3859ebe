"""Random numbers in a step: while it is recorded, tg.random's generator notes what is drawn from it."""

from __future__ import annotations

import copy
import threading
from types import TracebackType
from typing import Any, Self

import numpy as np

from tinygraph import random
from tinygraph.compiler.record import Trace
from tinygraph.compiler.traced import Traced
from tinygraph.core.errors import TraceError
from tinygraph.core.messages import here


class Draws:
    """Inside ``with``, what this thread draws through tg.random is noted; a failure puts the generator's state back."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.generator: np.random.Generator = random._generator

    def __enter__(self) -> Self:
        self.before = copy.deepcopy(self.generator.bit_generator.state)
        random._generator = _Noting(self.trace, self.generator)  # type: ignore[assignment]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        random._generator = self.generator
        if kind is not None:
            self.undo()

    def undo(self) -> None:
        """Put the generator back to where it was before the recording."""
        self.generator.bit_generator.state = self.before


class _Noting:
    """A generator whose draws are noted."""

    def __init__(self, trace: Trace, generator: np.random.Generator) -> None:
        self._trace, self._generator = trace, generator

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._generator, name)
        if threading.get_ident() != self._trace.thread:
            return method
        if not callable(method) or name == "spawn":
            raise TraceError("the step looks at the state of tg.random's generator, or sets it; seed it outside, and "
                             f"only draw in the step{here()}")

        def draw(*args: Any, **kwargs: Any) -> Any:
            if name == "shuffle":
                self._trace.rewrite(args[0], method, *args[1:], effect=True, **kwargs)
                return None
            if (out := kwargs.pop("out", None)) is None:
                return self._trace.draw(method, args, kwargs)
            if not isinstance(out, Traced):
                raise TraceError(f"the step draws into a plain array, which a replay would not see; take what "
                                 f"tg.random.{name} gives{here()}")
            if name != "permuted" and not args:
                kwargs = {"size": out.shape, "dtype": out.dtype, **kwargs}
            return self._trace.assign(out, self._trace.draw(method, args, kwargs))
        return draw
