"""Tensor: the handle that a user holds on a node; its operators, one line each; the NumPy protocols."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NoReturn

import numpy as np

from tinygraph.assignment import Assignable
from tinygraph.core import backward as sweep
from tinygraph.core.arguments import Array, is_array
from tinygraph.core.context import GRAD_ENABLED, HOOKS
from tinygraph.core.errors import ArgumentError, DTypeError, GradientError, ShapeError, UnsupportedError
from tinygraph.core.messages import here
from tinygraph.core.node import Node, leaf, record, wrap
from tinygraph.dispatch import call_function, call_ufunc, operator
from tinygraph.methods import Methods
from tinygraph.ops import constants, elementwise, index, linalg

_HOOK_IDS = count()
_STORE_SUBSCR = dis.opmap["STORE_SUBSCR"]


class Tensor(Assignable, Methods):
    """An array in the graph: a handle on the node that holds its value and where it came from.

    Made by `tensor` or by computing with one. It behaves as NumPy's arrays do; what is computed from a tensor that
    requires a gradient remembers its parents, and `backward` goes back along them.

    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__",)

    def __init__(self, *_: Any, **__: Any) -> None:
        raise UnsupportedError(f"Tensor is what tg.tensor(data) makes; call that{here()}")  # the engine makes them bare

    apply = record

    # --- what it is ---------------------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array itself, shared and not copied; assigning to it, or into it, is not recorded."""
        value = self.node.value
        if isinstance(value, np.generic):
            value = self.node.value = np.array(value)
        return value

    @data.setter
    def data(self, value: Array) -> None:
        node = self.node
        if value is not node.value:  # as after `w.data -= step`, which wrote into the array
            node.value = value.node.value if isinstance(value, Tensor) else _converted(value, self.dtype)

    @property
    def grad(self) -> Array | None:
        """What backward left here: an array of the tensor's shape and dtype, a Tensor after ``create_graph=True``.

        None before backward, or where no gradient is required. Raises GradientError on a tensor that was computed,
        unless `retain_grad` was called on it.
        """
        node = self.node
        if node.op is not None and node.grad is None and not node.watched:
            raise GradientError(f"this tensor was computed by {node.op.name}, and gradients are kept on leaves alone; "
                                f"call retain_grad() on it before backward(){here()}")
        return node.grad

    @grad.setter
    def grad(self, value: Array | None) -> None:
        if value is not None:
            value = value if isinstance(value, Tensor) else _converted(value, self.dtype)
            if value.shape != self.shape:
                raise ShapeError(f"a gradient of shape {value.shape} for a tensor of shape {self.shape}{here()}")
        self.node.grad = value

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to this tensor. May be set on a leaf."""
        return self.node.requires_grad  # type: ignore[no-any-return]

    @requires_grad.setter
    def requires_grad(self, required: bool) -> None:
        if self.node.op is not None:
            raise GradientError(f"requires_grad can be set on a leaf, and this tensor was computed by "
                                f"{self.node.op.name}; detach() gives a leaf{here()}")
        if required:
            _check_differentiable(self.dtype)
        self.node.requires_grad = required

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by hand and not computed."""
        return self.node.op is None

    @property
    def name(self) -> str | None:
        """What tables, pictures and errors call it."""
        return self.node.name  # type: ignore[no-any-return]

    @name.setter
    def name(self, name: str | None) -> None:
        self.node.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self.node.value.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.node.value.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.node.value.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(self.node.value.size)

    @property
    def itemsize(self) -> int:
        """What one element takes up (bytes)."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """What the elements take up (bytes)."""
        return int(self.node.value.nbytes)

    def __repr__(self) -> str:
        node = self.node
        text = str(node.value)  # which of a Dask array computes nothing
        if isinstance(node.value, np.ndarray | np.generic):
            text = np.array2string(np.asarray(node.value), prefix="tensor(", separator=", ", threshold=200)
        facts = [text, f"dtype={self.dtype}"]
        if node.op is not None:
            facts.append(f"op={node.op.name}")
        elif node.requires_grad:
            facts.append("requires_grad=True")
        if node.name is not None:
            facts.append(f"name={node.name!r}")
        return f"tensor({', '.join(facts)})"

    def __str__(self) -> str:
        return str(self.node.value)

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec and self.size == 1 else self.node.value, spec)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        picture = HOOKS.get("display")
        return picture(self) if picture is not None else {"text/plain": repr(self)}

    # --- gradients ----------------------------------------------------------------------------------------------

    def backward(self, grad: Array | None = None, create_graph: bool = False, retain_graph: bool = True) -> None:
        """Add d(self)/d(leaf) to the ``grad`` of every leaf that this tensor was computed from.

        Args:
            grad: The cotangent to start from, of this tensor's shape; 1 where the tensor is a single number.
            create_graph: Record the computation of the gradients, so that they can be differentiated in turn.
            retain_graph: Keep the graph, to draw it or to go back again; False frees values as they are passed.

        Raises GradientError where nothing requires a gradient, or where a tensor of many elements has no ``grad``.

        >>> x = tensor(3.0, requires_grad=True)
        >>> (x ** 2).backward()
        >>> x.grad
        array(6.)
        """
        sweep.backward(self, grad, create_graph=create_graph, retain_graph=retain_graph)

    def zero_grad(self) -> None:
        """Forget the gradient: ``grad`` is None again."""
        self.node.grad = None

    def detach(self) -> Tensor:
        """A leaf that shares this value and has no past.

        >>> x = tensor(3.0, requires_grad=True)
        >>> (x * x).detach().requires_grad
        False
        """
        return _wrapped(leaf(self.node.value))

    def retain_grad(self) -> None:
        """Have backward keep the gradient of this computed tensor too."""
        if not self.requires_grad:
            raise GradientError(f"no gradient flows to this tensor, so there is none to retain{here()}")
        self.node.watched = True

    def register_hook(self, hook: Callable[[Array], Array | None]) -> Hook:
        """Call ``hook(gradient)`` in each backward, with this tensor's whole cotangent in that backward.

        What it returns, unless None, goes on in the gradient's place. The answer's ``remove()`` ends it.

        >>> x = tensor(3.0, requires_grad=True)
        >>> hook = x.register_hook(lambda g: 10 * g)
        >>> (2 * x).backward()
        >>> x.grad
        array(20.)
        """
        if not self.requires_grad:
            raise GradientError(f"no gradient flows to this tensor, so a hook would never be called{here()}")
        if not callable(hook):
            raise ArgumentError(f"register_hook: a hook is a function of the gradient, and not {hook!r}{here()}")
        return Hook(self.node, hook)

    # --- reading the value --------------------------------------------------------------------------------------

    def item(self, *index: Any) -> Any:
        """The one element as a Python number; or that at a place in each axis, or at one in the flat array."""
        if index:
            return np.asarray(self.node.value).item(*index)
        if self.size != 1:
            raise ShapeError(f"item() reads one element, and this tensor has shape {self.shape}{here()}")
        value = self.node.value
        return value.item() if hasattr(value, "item") else np.asarray(value).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.node.value.tolist()

    def __float__(self) -> float:
        if self.requires_grad and GRAD_ENABLED.get():
            # `array[0] = t` asks for a float as well, and it alone would leave the graph without a word.
            frame = sys._getframe(1)
            if frame.f_code.co_code[frame.f_lasti] == _STORE_SUBSCR:
                _refuse_to_leave()
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise DTypeError(f"an index is an integer, and this tensor is {self.dtype}{here()}")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(f"the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all(){here()}")
        return bool(self.item())

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d tensor has no len()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("a 0-d tensor cannot be iterated over")
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> bool:
        return bool(np.any(self.node.value == (item.node.value if isinstance(item, Tensor) else item)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if self.requires_grad and GRAD_ENABLED.get():
            _refuse_to_leave()
        return np.array(self.node.value, dtype) if copy else np.asarray(self.node.value, dtype)

    def __reduce__(self) -> Any:
        return _rebuilt, (self.data, self.node.name, self.requires_grad)

    # --- the NumPy protocols ------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        return call_function(func, args, kwargs, self.node.value)

    # --- operators ----------------------------------------------------------------------------------------------

    __add__ = operator(elementwise.add)
    __radd__ = operator(elementwise.add, swapped=True)
    __sub__ = operator(elementwise.subtract)
    __rsub__ = operator(elementwise.subtract, swapped=True)
    __mul__ = operator(elementwise.multiply)
    __rmul__ = operator(elementwise.multiply, swapped=True)
    __truediv__ = operator(elementwise.divide)
    __rtruediv__ = operator(elementwise.divide, swapped=True)
    __floordiv__ = operator(elementwise.floor_divide)
    __rfloordiv__ = operator(elementwise.floor_divide, swapped=True)
    __mod__ = operator(elementwise.remainder)
    __rmod__ = operator(elementwise.remainder, swapped=True)
    __pow__ = operator(elementwise.power)
    __rpow__ = operator(elementwise.power, swapped=True)
    __matmul__ = operator(linalg.matmul)
    __rmatmul__ = operator(linalg.matmul, swapped=True)

    def __neg__(self) -> Tensor:
        return elementwise.negative(self)  # type: ignore[no-any-return]

    def __pos__(self) -> Tensor:
        return elementwise.positive(self)  # type: ignore[no-any-return]

    def __abs__(self) -> Tensor:
        return elementwise.absolute(self)  # type: ignore[no-any-return]

    __eq__ = operator(constants.equal)
    __ne__ = operator(constants.not_equal)
    __lt__ = operator(constants.less)
    __le__ = operator(constants.less_equal)
    __gt__ = operator(constants.greater)
    __ge__ = operator(constants.greater_equal)
    __and__ = operator(constants.bitwise_and)
    __or__ = operator(constants.bitwise_or)
    __xor__ = operator(constants.bitwise_xor)
    __rand__ = operator(constants.bitwise_and, swapped=True)
    __ror__ = operator(constants.bitwise_or, swapped=True)
    __rxor__ = operator(constants.bitwise_xor, swapped=True)
    __lshift__ = operator(constants.left_shift)
    __rlshift__ = operator(constants.left_shift, swapped=True)
    __rshift__ = operator(constants.right_shift)
    __rrshift__ = operator(constants.right_shift, swapped=True)

    def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return other // self, other % self

    def __round__(self, ndigits: int = 0) -> Tensor:
        return constants.round(self, ndigits)  # type: ignore[no-any-return]

    def __invert__(self) -> Tensor:
        return constants.invert(self)  # type: ignore[no-any-return]

    __hash__ = object.__hash__

    def __getitem__(self, key: Any) -> Tensor:
        return index.getitem(self, key)  # type: ignore[no-any-return]


class Hook:
    """A registered hook; ``remove()`` ends it."""

    __slots__ = ("_key", "_node")

    def __init__(self, node: Node, function: Callable[[Array], Array | None]) -> None:
        self._node, self._key = node, next(_HOOK_IDS)
        node.hooks = {**(node.hooks or {}), self._key: function}
        node.watched = True

    def remove(self) -> None:
        """Stop calling it; a second time does nothing."""
        self._node.hooks = {key: hook for key, hook in (self._node.hooks or {}).items() if key != self._key} or None


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None, name: str | None = None) -> Tensor:
    """A leaf of the graph that holds ``data``: an ndarray or a foreign array is shared, anything else converted.

    Args:
        data: An array, a number, nested lists, or a Tensor (whose past is left behind).
        requires_grad: Whether backward should leave a gradient here; the dtype must then be real or complex.
        dtype: What to convert to; None keeps an array's own.
        name: What tables, pictures and errors call it.

    >>> tensor([1, 2], dtype=float, requires_grad=True, name="w")
    tensor([1., 2.], dtype=float64, requires_grad=True, name='w')
    """
    value = _converted(data, dtype)
    if requires_grad:
        _check_differentiable(value.dtype)
    return _wrapped(leaf(value, requires_grad, name))


def _converted(data: Any, dtype: Any) -> Array:
    if isinstance(data, Tensor):
        data = data.data
    if not is_array(data):
        try:
            data = np.asarray(data, dtype)
        except ValueError as error:
            if "inhomogeneous" not in str(error):
                raise
            raise ShapeError(f"a tensor's rows are of one length, and these lists are not{here()}") from None
    if data.dtype.kind not in "biufc":
        raise DTypeError(f"a tensor holds numbers, and this is {data.dtype} (from {type(data).__name__}){here()}")
    return data if dtype is None or data.dtype == dtype else data.astype(dtype)


def _check_differentiable(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fc":
        raise DTypeError(f"a tensor of dtype {dtype} cannot require a gradient; give real numbers, such as "
                         f"tg.tensor(..., dtype=float){here()}")


def _refuse_to_leave() -> NoReturn:
    raise GradientError("this would put a tensor that requires a gradient into a plain array and lose its past; join "
                        "tensors with tg.stack or tg.concatenate, or take .data where the value is meant" + here())


def _wrapped(node: Node) -> Tensor:
    return wrap(Tensor, node)  # type: ignore[no-any-return]


def _rebuilt(data: Array, name: str | None, requires_grad: bool) -> Tensor:
    return _wrapped(leaf(data, requires_grad, name))
