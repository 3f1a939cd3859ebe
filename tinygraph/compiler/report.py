"""What a compiled step costs, line by line; and the step as a file that needs NumPy alone."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.compiler.program import Line, Program
from tinygraph.core.errors import TraceError


@dataclass(frozen=True)
class Report:
    """Each line of a program with the time that it takes; printing shows a table.

    Attributes:
        lines: The lines, in order.
        seconds: The median time of each (s).
        buffers: What the program's buffers take up (bytes).
    """

    lines: tuple[Line, ...]
    seconds: tuple[float, ...]
    buffers: int

    def __str__(self) -> str:
        total = sum(self.seconds) or 1.0
        rows = [f"{'µs':>9}{'share':>7}{'FLOPs':>12}{'GFLOP/s':>9}{'bytes':>12}{'GB/s':>7}  line"]
        rows += [_row(seconds, total, line.flops, line.nbytes, line.text)
                 for line, seconds in zip(self.lines, self.seconds, strict=True)]
        flops, nbytes = sum(line.flops for line in self.lines), sum(line.nbytes for line in self.lines)
        rows.append(_row(total, total, flops, nbytes, f"in all; {self.buffers:,} bytes of buffers"))
        return "\n".join(rows)


def _row(seconds: float, total: float, flops: int, nbytes: int, text: str) -> str:
    """A line of the table; a rate is left out where the clock saw nothing."""
    amounts = ((flops, 12, 9), (nbytes, 12, 7))
    costs = "".join(f"{f'{n:,}' if n else '':>{wide}}{f'{n / seconds / 1e9:.1f}' if n and seconds else '':>{narrow}}"
                    for n, wide, narrow in amounts)
    return f"{seconds * 1e6:9.2f}{seconds / total:7.1%}{costs}  {text}"


def measured(program: Program, arrays: list[Any], states: list[Any], repeats: int) -> Report:
    """Run a program on copies of its arguments and states, with a clock between its lines."""
    ticks = [0] * (len(program.lines) + 1)
    names = {"_ticks": ticks, "_clock": time.perf_counter_ns}

    def clocked(n: int, text: str) -> list[str]:
        return ([] if n else ["_ticks[0] = _clock()"]) + [text, f"_ticks[{n + 1}] = _clock()"]
    step = program.load(program.text_with(clocked), **names)
    given = [np.array(a) for a in (*arrays, *states)]
    taken = []
    for _ in range(repeats):
        step(*given)
        taken.append(np.diff(ticks))
    # What reading the clock itself takes is in every line.
    for n in range(len(ticks)):
        ticks[n] = time.perf_counter_ns()
    clock = float(np.median(np.diff(ticks)))
    medians = np.maximum(np.median(taken, axis=0) - clock, 0.0) * 1e-9
    return Report(program.lines, tuple(float(s) for s in medians), program.buffers)


def standalone(program: Program, title: str) -> str:
    """The program as a module that needs NumPy alone: checks of values left out, large constants written as base64."""
    checks = [line for line in program.lines if line.text.split("(")[0] in program.namespace]
    if computing := [line.text for line in checks if " = " in line.text]:
        raise TraceError(f"{computing[0]} calls a Python function, and a file that needs NumPy alone cannot")
    kept = tuple(line for line in program.lines if line not in checks)
    for line in kept:
        if any(name != "constants" and f" {name}(" in line.text for name in program.namespace):
            raise TraceError(f"{line.text} calls a Python function, and a file that needs NumPy alone cannot")
    header = [f'"""{title}', "", "step updates the arrays of its weights in place and returns a tuple.", '"""', "",
              "import base64", "", "import numpy as np", ""]
    constants = [f"np.frombuffer(base64.b64decode({base64.b64encode(np.ascontiguousarray(a).tobytes())!r}), "
                 f"np.{a.dtype.name}).reshape({a.shape})" for a in program.namespace.get("constants", [])]
    if constants:
        header += ["constants = [", *(f"    {text}," for text in constants), "]"]
    else:
        header.remove("import base64")
        header.remove("")
    bare = Program(program.prologue, program.arguments, kept, program.answer, {}, program.buffers)
    return "\n".join(header) + "\n" + bare.source
