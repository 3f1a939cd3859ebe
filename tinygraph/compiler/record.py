"""Recording: run a step once on arrays that note every NumPy call made with them.

A `Traced` array is one more array that speaks the NumPy protocols, so the engine runs on it unmodified. It computes for
real, so that shapes and dtypes are known and the first call has its result. The plan is in single-assignment form:
a write into an array makes a new version of it, and nothing from outside is written before the step has succeeded.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygraph.compiler.calls import BY_VALUE, MAYBE_VIEWS, SEPARATE, SHAPED_BY, STATIC, WEAK, getitem
from tinygraph.compiler.places import why
from tinygraph.compiler.plan import HERE, Step, Value, View, mapped, order_of
from tinygraph.compiler.traced import Traced
from tinygraph.core.errors import TraceError
from tinygraph.core.messages import here
from tinygraph.tensors import Tensor


class Trace:
    """The calls of one recording, which is one thread's; to others a traced array is the array that it stands for.

    Attributes:
        steps: The calls so far.
        inputs: What stands for the arrays among the step's arguments.
        grads: Gradients that were there before, by the id of their array.
        written: The tensors' traced arrays that were written into.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.constants: dict[int, tuple[Any, Value]] = {}
        self.inputs: list[Traced] = []
        self.grads: dict[int, Any] = {}
        self.written: set[Traced] = set()
        self.thread = threading.get_ident()
        self.open = True

    # --- calls ------------------------------------------------------------------------------------------------------

    def call(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Make one NumPy call for real, and note it."""
        if self._elsewhere():
            return function(*mapped(args, outside), **mapped(kwargs, outside))
        self._check_open()
        self._check_shape(function, args, kwargs)
        if function in SEPARATE and (len(args) > 1 or function is np.ix_):
            return tuple(self.call(f, given, kwargs) for f, given in SEPARATE[function](*args))
        if function is np.meshgrid:
            kwargs = {**kwargs, "copy": True}
        real = _made(function, args, kwargs)
        if function in STATIC:
            return real
        self._check_answer(function, real)
        args, kwargs = self._settled(args, kwargs)
        if function in WEAK and all(isinstance(x, int | float | complex) or _is_weak(x) for x in args):
            real = real.item()
        value = mapped(real, lambda r: Value(np.shape(r), r.dtype if hasattr(r, "dtype") else np.asarray(r).dtype,
                                             order=order_of(r)))
        result, shares = self._results(function, args, kwargs, real, value)
        self._note(function, args, kwargs, value, shares=shares)
        return result

    def draw(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Call a method of a generator of random numbers, once now and anew at every call of the program."""
        self._check_open()
        args, kwargs = self._settled(args, kwargs)
        real = _made(function, args, kwargs)
        value = Value(np.shape(real), np.asarray(real).dtype)
        self._note(function, args, kwargs, value, effect=True)
        return Traced(self, value, real)

    def check(self, validate: Callable[..., None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check values now, and note that each call of the program is to check its own."""
        validate(*mapped(args, real_array), **mapped(kwargs, real_array))
        if not self._elsewhere():
            self._check_open()
            self._note(validate, args, kwargs, None)

    def _note(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], result: Any, **facts: Any) -> None:
        self.steps.append(Step(function, mapped(tuple(args), self.noted), mapped(kwargs, self.noted), result, why(),
                               **facts))

    def noted(self, x: Any) -> Any:
        """What stands for an argument in the plan: a Value for an array, everything else as it is."""
        if isinstance(x, Traced):
            return x.value
        if isinstance(x, Tensor):
            raise TraceError(f"a tensor was given to a NumPy call on arrays in a compiled step{here()}")
        if isinstance(x, np.ndarray):
            if id(x) in self.grads:
                raise TraceError("the step adds to a gradient that an earlier call left; call zero_grad() in it, "
                                 f"before backward(){here()}")
            known = self.constants.get(id(x))
            if known is None or known[1].constant.tobytes() != x.tobytes():  # it was written to in between
                # A copy: the second recording is to see if the step changed it.
                known = self.constants[id(x)] = x, Value(x.shape, x.dtype, constant=x.copy())
            return known[1]
        return x

    def _settled(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments with what stands for Python numbers in the dtype that those would take here."""
        weak = [a for a in arrays_in((args, kwargs)) if a.weak]
        if not weak:
            return args, kwargs
        strong = [x.dtype for x in arrays_in((args, kwargs)) if not x.weak]
        strong += [x.dtype for x in args if isinstance(x, np.ndarray | np.generic)]
        if not strong:
            return args, kwargs

        def settle(x: Any) -> Any:
            if not (isinstance(x, Traced) and x.weak):
                return x
            dtype = np.result_type(*strong, x.array)
            if dtype == x.dtype:
                return Traced(self, x.value, np.asarray(x.array))
            return self.call(np.asarray, (Traced(self, x.value, np.asarray(x.array)), dtype), {})
        return mapped(args, settle), mapped(kwargs, settle)

    # --- views --------------------------------------------------------------------------------------------------------

    def _results(self, function: Callable[..., Any], args: Any, kwargs: Any, real: Any, value: Any) -> tuple[Any, Any]:
        """The traced arrays of a result, and the Value in whose memory they lie or may lie."""
        given = list(arrays_in((args, kwargs)))
        shares: set[Value] = set()
        several = isinstance(real, list | tuple)

        def traced(r: Any, v: Value, at: int | None) -> Traced:
            a = next((a for a in given if isinstance(r, np.ndarray) and isinstance(a.array, np.ndarray)
                      and np.may_share_memory(r, a.array)), None)
            if a is None:
                return Traced(self, v, r)
            shares.add(a.value)
            view = View(function, mapped(tuple(args), lambda x: HERE if x is a else x),
                        mapped(kwargs, lambda x: HERE if x is a else x), at)
            return Traced(self, v, r, a if a.base is None else a.base, (*a.path, view))
        if several:
            items = [traced(r, v, i) for i, (r, v) in enumerate(zip(real, value, strict=True))]
            result: Any = type(real)(*items) if hasattr(real, "_fields") else type(real)(items)
        else:
            result = traced(real, value, None)
        if len(shares) > 1:
            raise TraceError(f"np.{function.__name__} gives views of several arrays at once, which cannot be "
                             f"recorded{here()}")
        empty = not isinstance(function, np.ufunc) and any(np.size(r) == 0 for r in (real if several else [real]))
        if not shares and given and (function in MAYBE_VIEWS or empty):  # an empty view shares no memory
            shares.add(given[0].value)
        return result, next(iter(shares), None)

    def look(self, base: Traced, path: tuple[View, ...]) -> tuple[Value, Any]:
        """Look into an array as it is now, and note that."""
        value, array = base.value, base.array
        for view in path:
            real = view.function(*view.filled(array), **view.kwargs)
            results = mapped(real, lambda r: Value(r.shape, r.dtype))
            args = view.filled(value)
            self.steps.append(Step(view.function, args, view.kwargs, results, why(), shares=value))
            value, array = (results, real) if view.at is None else (results[view.at], real[view.at])
        return value, array

    # --- writes -------------------------------------------------------------------------------------------------------

    def assign(self, target: Any, result: Traced) -> Any:
        """``target[...] = result``, of the same shape and dtype: the name stands for the new value from here on."""
        if self._elsewhere():
            outside(target)[...] = result
            return target
        whole = isinstance(target, Traced) and target.base is None and target.shape == result.shape
        if not whole or target.dtype != result.dtype:
            target[...] = result
            return target
        self._check_writable(target)
        target.become(result.value, _laid_out(target.array, result.array))
        return target

    def rewrite(self, target: Any, function: Callable[..., Any], *args: Any, effect: bool = False,
                **kwargs: Any) -> Any:
        """Call a function that writes into its first argument, as a call that gives what the array becomes."""
        if self._elsewhere():
            function(outside(target), *mapped(args, outside), **mapped(kwargs, outside))
            return target
        self._check_open()
        if not isinstance(target, Traced):
            raise TraceError("the step writes into a plain array, which a replay would not see; keep what changes "
                             f"between calls in a Tensor{here()}")
        root = target if target.base is None else target.base
        self._check_writable(root)
        args, kwargs = self._settled(args, kwargs)
        before = root.value
        array = _laid_out(root.array, root.array)
        _made(functools.partial(function, _looked(array, target.path)), args, kwargs)
        copied = np.empty(array.shape, array.dtype)  # as the program has it
        if array.size and not np.may_share_memory(_looked(copied, target.path), copied):
            raise TraceError(f"the step writes through a reshaped view of an array that does not lie in one piece; "
                             f"write into the array itself{here()}")
        value = Value(array.shape, array.dtype)
        self.steps.append(Step(function, (before, *mapped(args, self.noted)), mapped(kwargs, self.noted), value,
                               why(), replaces=before, path=target.path, effect=effect))
        root.become(value, array)
        return target

    def _check_writable(self, root: Traced) -> None:
        if any(root is x for x in self.inputs):
            raise TraceError(f"the step writes into its argument{f' {root.value.name}' if root.value.name else ''}; "
                             f"let it work on a copy{here()}")
        if root.origin is not None:
            if not root.origin.flags.writeable:
                raise ValueError("assignment destination is read-only")
            self.written.add(root)

    # --- what is refused ----------------------------------------------------------------------------------------------

    def _elsewhere(self) -> bool:
        return threading.get_ident() != self.thread

    def _check_open(self) -> None:
        if not self.open:
            raise TraceError("a value from inside a compiled step was used after it; return it from the step, or keep "
                             f"it in a Tensor{here()}")

    def _check_shape(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> None:
        """Refuse what gives an array whose shape depends on values."""
        masked = function is getitem and any(a.dtype == bool for a in arrays_in(args[1]))
        by_value = function in BY_VALUE or (function is np.where and len(args) + len(kwargs) == 1)
        if (name := SHAPED_BY.get(function)) is not None:
            by_value = any(True for _ in arrays_in(kwargs.get(name, args[1:2])))
        if masked or by_value:
            what = "an index with a mask" if masked else f"np.{function.__name__}"
            remedy = "tg.scatter_add(weights, x, (n,)) adds up n bins" if function is np.bincount \
                else "multiply by the mask or use np.where"
            raise TraceError(f"{what} gives an array whose shape depends on values, so no fixed program can do it; "
                             f"{remedy}{here()}")

    def _check_answer(self, function: Callable[..., Any], real: Any) -> None:
        """Refuse what answers with something that Python could read."""
        answers = real if isinstance(real, list | tuple) else [real]
        if not all(hasattr(r, "dtype") for r in answers):
            raise self.unreadable(f"np.{function.__name__} answers with a {type(real).__name__}")

    def unreadable(self, how: str,
                   remedy: str = "return it and read it outside, or choose with np.where") -> TraceError:
        """The error of a step that reads a value."""
        self._check_open()
        return TraceError(f"the step reads a value that is computed anew at each call: {how}; {remedy}{here()}")

    def as_array(self, x: Traced) -> Any:
        """What `numpy.asarray` of a traced array gives: to another thread the array itself, here an error."""
        if not self._elsewhere():
            if x.dtype.kind in "iu":  # as `table[labels]` of an ndarray does
                raise self.unreadable("it is made a plain array, as the index of one say",
                                      "to read with it from an array, tg.take(array, index, axis=0) is recorded")
            raise self.unreadable("it is made a plain array, by np.array or by storing it in one")
        return outside(x)


def _laid_out(place: Any, array: Any) -> Any:
    """A copy of an array that lies in memory as another does: whether a reshape is a view depends on that."""
    if not array.size:
        return np.array(array)
    ends = [(n - 1) * stride for n, stride in zip(place.shape, place.strides, strict=True)]
    low, high = sum(min(end, 0) for end in ends), sum(max(end, 0) for end in ends)
    memory = np.empty(high - low + place.itemsize, np.uint8)
    copied: Any = np.ndarray(place.shape, place.dtype, memory, -low, place.strides)
    copied[...] = array
    return copied


def _looked(array: Any, path: tuple[View, ...]) -> Any:
    """A view of a view of an array, and so on."""
    for view in path:
        array = view.of(array)
    return array


def outside(x: Any) -> Any:
    """What an array is to other threads while it is recorded here."""
    if not isinstance(x, Traced):
        return x
    root = x if x.base is None else x.base
    if root.origin is None:
        return x.array
    return _looked(root.origin, x.path)


def real_array(x: Any) -> Any:
    """What a traced array is in this recording; everything else as it is."""
    return x.array if isinstance(x, Traced) else x


def arrays_in(x: Any) -> Iterator[Traced]:
    """Every traced array in nested containers and slices, in order."""
    if isinstance(x, Traced):
        yield x
    elif isinstance(x, list | tuple):
        for item in x:
            yield from arrays_in(item)
    elif isinstance(x, dict):
        yield from arrays_in(list(x.values()))


def _made(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """A call made for real, on arrays that it cannot write into."""
    def frozen(x: Any) -> Any:
        x = real_array(x)
        if isinstance(x, np.ndarray) and x.flags.writeable:
            x = x.view()
            x.flags.writeable = False
        return x
    try:
        return function(*mapped(tuple(args), frozen), **mapped(kwargs, frozen))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise TraceError(f"{getattr(function, '__name__', 'a function')} writes into an array that it is given, which "
                         f"cannot be recorded; assign its result instead{here()}") from error


def _is_weak(x: Any) -> bool:
    return isinstance(x, Traced) and x.weak
