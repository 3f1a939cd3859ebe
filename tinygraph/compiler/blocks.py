"""Blocks: how a chain of elementwise calls is written as a function of some rows, and what calls it on all."""

from __future__ import annotations

import inspect
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygraph.compiler.memory import is_elementwise
from tinygraph.compiler.plan import Chain, Step, Value
from tinygraph.compiler.spelling import Spelling, wish


def in_blocks(block: Callable[..., None], rows: int, least: int, cut: Sequence[Any], whole: Sequence[Any] = ()) -> None:
    """Call ``block`` on so many rows of the arrays in ``cut`` at a time, which stay in the cache.

    As many threads as BLAS may use (OMP_NUM_THREADS) share the work where each gets at least so many rows.
    """
    def part(begin: int, end: int) -> None:
        for i in range(begin, end, rows):
            block(*[a[i:min(i + rows, end)] for a in cut], *whole)

    n = len(cut[0])
    threads = min(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1), n // least)
    if threads < 2:
        part(0, n)
        return
    from concurrent.futures import ThreadPoolExecutor
    from contextvars import copy_context  # which np.errstate is kept in
    ends = [n * k // threads for k in range(threads + 1)]
    with ThreadPoolExecutor(threads - 1) as pool:
        parts = [pool.submit(copy_context().run, part, ends[k], ends[k + 1]) for k in range(1, threads)]
        part(0, ends[1])
        for other in parts:
            other.result()


RUNTIME = ["import os", "", "", *inspect.getsource(in_blocks).replace(
    "block: Callable[..., None], rows: int, least: int, cut: Sequence[Any], whole: Sequence[Any] = ()) -> None",
    "block, rows, least, cut, whole=())").replace("begin: int, end: int) -> None", "begin, end)").splitlines()]
"""The lines of `in_blocks`, without types, for a program that has chains."""


def argument_names(step: Step, spelling: Spelling) -> tuple[list[str], list[str]]:
    """What a chain's function takes: the arrays that are cut into blocks, results last; those that are given whole."""
    chain: Chain = step.function  # type: ignore[assignment]
    names = [(v in chain.cut, spelling.text(v)) for v in step.reads]
    cut = [name for is_cut, name in names if is_cut] + [spelling.names[v] for v in step.results]
    return list(dict.fromkeys(cut)), [name for (is_cut, name), v in zip(names, step.reads, strict=True)
                                      if not is_cut and v.constant is None]


def block_function(name: str, step: Step, spelling: Spelling, spare: set[Value]) -> list[str]:
    """The lines of the function that makes a chain's calls on one block. Its arguments have their arrays' names.

    What nobody looks at outside lies in arrays of a block's size, which are used again as they become free, and so are
    the blocks of the arguments in ``spare``.
    """
    chain: Chain = step.function  # type: ignore[assignment]
    last = {value: i for i, inner in enumerate(chain.steps) for value in inner.reads}
    free: dict[np.dtype[Any], list[str]] = defaultdict(list)
    own = {inner.result for inner in chain.steps} - set(step.results)
    own |= {v for v in spare if v in chain.cut and v.shape == chain.steps[0].result.shape}
    cut, whole = argument_names(step, spelling)
    lines = []
    for i, inner in enumerate(chain.steps):
        result, out = inner.result, ""
        dying = [v for v in dict.fromkeys(inner.reads) if last[v] == i and v in own]
        for value in dying if is_elementwise(inner) else ():
            free[value.dtype].append(spelling.names[value])
        outside = result in step.results
        if is_elementwise(inner) and (outside or free[result.dtype]):
            out = spelling.names[result] if outside else free[result.dtype].pop()
        text = spelling.call(inner, out)
        if not outside:
            text = f"{spelling.name(result, wish(inner))} = {text}"
        elif not out:
            text = f"{spelling.names[result]}[...] = {text}"
        lines.append((text, inner.why))
        for value in () if is_elementwise(inner) else dying:
            free[value.dtype].append(spelling.names[value])
    width = min(max(len(text) for text, _ in lines), 88)
    body = [f"    {text:{width}}  # {why}" for text, why in lines]
    return ["", "", f"def {name}({', '.join((*cut, *whole))}):", *body]
