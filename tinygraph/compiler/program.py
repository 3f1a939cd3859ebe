"""Program: straight-line Python that defines ``step``, line by line with where each comes from and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.compiler.plan import Chain, Step, Value


@dataclass(frozen=True)
class Line:
    """One line of a program: its text, the comment that says where it comes from, and what it costs.

    Attributes:
        flops: Floating-point operations, as far as they are known.
        nbytes: What it reads and writes (bytes).
    """

    text: str
    why: str = ""
    flops: int = 0
    nbytes: int = 0


@dataclass(frozen=True)
class Program:
    """Straight-line Python that defines ``step``, and the objects that its names stand for.

    Attributes:
        prologue: The lines that make constants and buffers. Each run makes buffers of its own.
        arguments, lines, answer: The function.
        namespace: What the text refers to and cannot spell: large constant arrays, checks of values.
        buffers: What the buffers take up (bytes).
    """

    prologue: tuple[str, ...]
    arguments: str
    lines: tuple[Line, ...]
    answer: str
    namespace: dict[str, Any]
    buffers: int

    @property
    def source(self) -> str:
        """The text. Run as a module it makes its buffers."""
        return self.text_with(lambda n, line: [line])

    def text_with(self, change: Callable[[int, str], list[str]]) -> str:
        """The text, with each line of the function's body turned into others."""
        width = min(max((len(line.text) for line in self.lines), default=0), 88)
        body = [f"{line.text:{width}}  # {line.why}" if line.why else line.text for line in self.lines]
        changed = [text for n, line in enumerate(body) for text in change(n, line)]
        changed.append(f"return {self.answer}")
        function = [f"def step({self.arguments}):", *(f"    {line}" for line in changed), ""]
        return "\n".join([*self.prologue, "", "", *function]).lstrip("\n")

    def load(self, text: str | None = None, **names: Any) -> Callable[..., Any]:
        """The function, with buffers of its own."""
        namespace = {"np": np, **self.namespace, **names}
        exec(compile(text or self.source, "<tinygraph step>", "exec"), namespace)
        step: Callable[..., Any] = namespace["step"]
        return step


def cost(step: Step) -> tuple[int, int]:
    """A call's floating-point operations and the bytes that it reads and writes; none for a view."""
    if step.shares is not None or step.result is None:
        return 0, 0
    sizes = [int(np.prod(v.shape)) for v in step.results]
    nbytes = sum(v.nbytes for v in (*step.reads, *step.results))
    if isinstance(step.function, Chain):
        return sum(cost(inner)[0] for inner in step.function.steps), nbytes
    if step.function in (np.matmul, np.dot) and all(isinstance(a, Value) for a in step.args):
        return 2 * sizes[0] * (step.args[0].shape or (1,))[-1], nbytes
    if isinstance(step.function, np.ufunc):
        return sum(sizes), nbytes
    if isinstance(getattr(step.function, "__self__", None), np.ufunc):
        return int(np.prod(step.args[0].shape)), nbytes
    return 0, nbytes
