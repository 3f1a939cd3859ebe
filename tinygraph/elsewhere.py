"""What other libraries call otherwise: the hint in the error about a name that is not there."""

from __future__ import annotations

from typing import Any

FUNCTIONS = {
    "as_tensor": "tensor", "bmm": "matmul", "cat": "concatenate", "from_numpy": "tensor", "jacfwd": "jacobian",
    "jacrev": "jacobian", "jit": "compile", "load": "load_state", "manual_seed": "random.seed", "mm": "matmul",
    "rand": "random.random", "randn": "random.standard_normal", "remat": "checkpoint", "save": "save_state",
}
"""Functions of PyTorch, JAX and autograd, by their names here."""

METHODS = {
    "clone": "copy()", "cpu": "data", "cuda": "data, an array of any kind", "detach_": "detach()",
    "double": "astype(np.float64)", "expand": "np.broadcast_to(t, shape)", "float": "astype(np.float32)",
    "gather": "np.take_along_axis(t, indices, axis)", "grad_fn": "node.op", "long": "astype(int)",
    "masked_fill": "np.where(mask, value, t)", "numpy": "data", "permute": "transpose(...)", "pow": "t ** n",
    "requires_grad_": "requires_grad = True", "t": "T", "to": "astype(dtype)", "type": "astype(dtype)",
    "unsqueeze": "np.expand_dims(t, axis)", "view": "reshape(...)", "zero_": "fill(0)",
    **{name: f"np.{name}(t)" for name in ("abs", "cos", "exp", "log", "log1p", "matmul", "outer", "sign", "sin",
                                          "sqrt", "square", "tanh")},
    **{name: f"tg.{name}(t)" for name in ("log_softmax", "relu", "sigmoid", "softmax")},
    "norm": "np.linalg.norm(t)",
}
"""Methods of PyTorch's tensors, by what does it here."""


class Elsewhere:
    """In the place of a method of another library's tensors: to read it says what does it here.

    A ``__getattr__`` would say so too, and cost every look at a tensor's node 17 ns.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise AttributeError(f"a tensor has no {self.name!r}; {METHODS[self.name]} does it here")


def hint(name: str) -> str:
    """The end of the sentence that `tinygraph` has no such function: what it is called here, if it is known.

    >>> hint("cat")
    '; it is called concatenate here'
    """
    return f"; it is called {FUNCTIONS[name]} here" if name in FUNCTIONS else ""
