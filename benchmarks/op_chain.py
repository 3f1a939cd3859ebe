"""One op of forward and backward, in a chain of 2,000 on ten floats, beside PyTorch (the extra ``peers``).

Run it with ``python -m benchmarks.op_chain``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinygraph as tg
from benchmarks.interleave import interleave, machine, report

LENGTH = 2_000


def chains(length: int = LENGTH) -> dict[str, Callable[[], object]]:
    """The same chain, times a number and plus a tensor in turn, on each library that is installed."""
    start = np.linspace(0.1, 1.0, 10)

    def tinygraph() -> object:
        x = y = tg.tensor(start, requires_grad=True)
        for _ in range(length // 2):
            y = y * 1.0001
            y = y + x
        y.backward(np.ones(10))
        return x.grad

    contenders: dict[str, Callable[[], object]] = {"tinygraph": tinygraph}
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: nothing to compare with (make bench PEERS=1)")
        return contenders
    torch.set_num_threads(1)

    def pytorch() -> object:
        x = y = torch.tensor(start, requires_grad=True)
        for _ in range(length // 2):
            y = y * 1.0001
            y = y + x
        y.backward(torch.ones(10, dtype=torch.float64))
        return x.grad
    np.testing.assert_allclose(tinygraph(), pytorch().numpy(), rtol=1e-12)
    contenders["PyTorch eager"] = pytorch
    return contenders


if __name__ == "__main__":
    print(machine())
    report(f"an op, forward and backward, chain of {LENGTH:,} on ten floats",
           interleave(chains(), seconds=10), unit=1e-6 * LENGTH)
