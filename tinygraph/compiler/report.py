"""What a compiled step costs, line by line; and the step as a file that needs NumPy alone."""

from __future__ import annotations

import base64
import copy
import re
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.compiler.plan import Plan
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
        width = min(max((len(line.text) for line in self.lines), default=0), 72)
        rows = [f"{'µs':>9}{'share':>7}{'FLOPs':>12}{'GFLOP/s':>9}{'bytes':>12}{'GB/s':>7}  line"]
        for line, seconds in zip(self.lines, self.seconds, strict=True):
            text = f"{line.text:{width}}  # {line.why}" if line.why else line.text
            rows.append(_row(seconds, total, line.flops, line.nbytes, text))
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
    names: dict[str, Any] = {"_ticks": ticks, "_clock": time.perf_counter_ns}
    if "rng" in program.namespace:  # another one, since tg.random's is to stay where it is
        names["rng"] = copy.deepcopy(program.namespace["rng"])

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


OUTSIDE = {"constants", "rng", "scipy"}
"""What a file of a program brings along, is given or imports, of the names that its text refers to."""


def standalone(program: Program, plan: Plan, title: str) -> str:
    """The program as a module that needs NumPy alone: checks of values left out, large constants written as base64.

    Raises TraceError where it calls a Python function.
    """
    ours = re.compile(rf"\b({'|'.join(map(re.escape, sorted({*program.namespace} - OUTSIDE))) or '(?!)'})\b")
    checks = {line for line in program.lines if line.text.split("(")[0] in program.namespace}
    kept = tuple(line for line in program.lines if line not in checks)
    texts = [*program.prologue, *(line.text for line in kept)]
    for text in texts:
        if ours.search(text):
            raise TraceError(f"{text.strip()} calls a Python function, and a file that needs NumPy alone cannot")
    draws = "rng" in program.namespace
    names = [*program.arguments.split(", "), *(["rng"] if draws else [])] if program.arguments else ["rng"] * draws
    written = {state for state, _ in plan.writes}
    facts = [(f"{value.dtype} {value.shape}", "written in place" if value in written else
              "an argument" if value in plan.inputs else "a tensor's array") for value in (*plan.inputs, *plan.states)]
    facts += [("numpy.random.Generator", "drawn from")] * draws
    width, wide = (max(map(len, column), default=0) for column in (names, [kind for kind, _ in facts]))
    rows = [f"    {name:{width}}  {kind:{wide}}  {what}" for name, (kind, what) in zip(names, facts, strict=True)]
    constants = [f"np.frombuffer(base64.b64decode({base64.b64encode(np.ascontiguousarray(a).tobytes())!r}), "
                 f"np.{a.dtype.name}).reshape({a.shape})" for a in program.namespace.get("constants", [])]
    zeros = [f"np.zeros({value.shape}, np.{value.dtype.name})" for value in (*plan.inputs, *plan.states)]
    zeros += ["np.random.default_rng(0)"] * draws
    bare = Program(program.prologue, ", ".join(names), kept, program.answer, {}, program.buffers)
    packages = sorted(set(re.findall(r"\bscipy\.\w+", bare.source)))
    needs = "NumPy and SciPy" if packages else "NumPy alone"
    return "\n".join([
        f'"""{title}; it needs {needs}.', "",
        f"step({', '.join(names)}) gives a tuple of arrays. What it takes:", "", *rows, "",
        "Run as a program, it is called once, on zeros.", '"""', "",
        *(["import base64", ""] if constants else []), "import numpy as np", *(f"import {name}" for name in packages),
        "", *(["constants = [", *(f"    {text}," for text in constants), "]"] if constants else []),
        bare.source, "", "if __name__ == \"__main__\":",
        "    arguments = [", *(f"        {text}," for text in zeros), "    ]",
        "    for result in step(*arguments):", "        print(result)", ""])
