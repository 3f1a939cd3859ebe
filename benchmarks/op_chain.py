"""One op of forward and backward, in a chain of 2,000 on ten floats, beside PyTorch (``pip install torch==2.13.0``).

    python -m benchmarks.op_chain
"""

from __future__ import annotations

from benchmarks.interleave import interleave, machine, report

import numpy as np

import tinygraph as tg

LENGTH = 2_000


def chains(length: int = LENGTH) -> dict[str, object]:
    """The same chain of multiplications by a number, by two tensors' product and by tanh, on each library there is."""
    start = np.linspace(0.1, 1.0, 10)

    def tinygraph() -> object:
        x = y = tg.tensor(start, requires_grad=True)
        for _ in range(length // 2):
            y = y * 1.0001
            y = y + x
        y.backward(np.ones(10))
        return x.grad

    contenders: dict[str, object] = {"tinygraph": tinygraph}
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: nothing to compare with (pip install torch==2.13.0)")
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
