"""What other libraries call otherwise: the hint in the error about a name that is not there."""

from __future__ import annotations

import numpy as np

from tinygraph.core.op import COMPOSED, OPS

FUNCTIONS = {
    "as_tensor": "tensor", "bmm": "matmul", "cat": "concatenate", "from_numpy": "tensor",
    "jacfwd": "jacobian", "jacrev": "jacobian", "jit": "compile", "load": "load_state", "manual_seed": "random.seed",
    "mm": "matmul", "rand": "random.random", "randn": "random.standard_normal", "remat": "checkpoint",
    "save": "save_state",
}
"""Functions of PyTorch, JAX and autograd, by their names here."""

METHODS = {
    "clone": "copy()", "cpu": "data", "cuda": "data, an array of any kind", "detach_": "detach()", "double":
    "astype(np.float64)", "expand": "np.broadcast_to(t, shape)", "float": "astype(np.float32)", "grad_fn": "node.op",
    "long": "astype(int)", "numpy": "data", "permute": "transpose(...)", "requires_grad_": "requires_grad = True",
    "t": "T", "to": "astype(dtype)", "type": "astype(dtype)", "unsqueeze": "np.expand_dims(t, axis)",
    "view": "reshape(...)", "zero_": "fill(0)",
}
"""Methods of PyTorch's tensors, by what does it here."""


def function_hint(name: str) -> str:
    """The end of the sentence that `tinygraph` has no such function: what it is called here, if it is known.

    >>> function_hint("cat")
    '; it is called concatenate here'
    """
    return f"; it is called {FUNCTIONS[name]} here" if name in FUNCTIONS else ""


def method_hint(name: str) -> str:
    """The end of the sentence that a tensor has no such attribute: what does it, if that is known.

    >>> method_hint("view"), method_hint("exp"), method_hint("relu")
    ('; reshape(...) does it here', '; np.exp(t) does it here', '; tg.relu(t) does it here')
    """
    if name in METHODS:
        return f"; {METHODS[name]} does it here"
    if name in OPS or name in COMPOSED:
        return f"; {'np' if hasattr(np, name) else 'tg'}.{name}(t) does it here"
    return ""
