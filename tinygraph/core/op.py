"""Op: an operation with its derivative rules, one an input, that can be called; and the registry OPS.

An op is called with arrays or Tensors in NumPy's own signature. `Op.bind` turns the call into what a node records:
``inputs``, the arrays in order, and ``params``, everything else by name with the defaults filled in.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, Generic, NoReturn, ParamSpec, TypeAlias, TypeVar

import numpy as np

from tinygraph.core.arguments import Array, Handle, is_array, put_back, take_out
from tinygraph.core.card import Card
from tinygraph.core.errors import (
    DTypeError,
    GradientError,
    LinAlgError,
    ShapeError,
    TinygraphError,
    UnsupportedError,
)
from tinygraph.core.messages import broadcast_clash, describe, here, plainly

Rule: TypeAlias = Callable[..., Array]
"""rule(g, y, *inputs, *, any params by name) -> the cotangent of one input."""

P = ParamSpec("P")
R = TypeVar("R")
Entered = TypeVar("Entered", bound="Op[..., Any]")

OPS: dict[str, Op[..., Any]] = {}
"""Every registered op by name."""

COMPOSED: dict[str, Op[..., Any]] = {}
"""Every registered function of ops by name: it has no rule of its own, and no node is made of it."""

BY_NUMPY: dict[Any, Op[..., Any]] = {}
"""The op, or the function of ops, that stands for a NumPy function; a string names one of a package not imported."""

LATER: list[str] = []
"""The modules of further ops, which are imported when one is asked for that is not there."""


# What is wrong with the arguments, and retold in one sentence. Anything else that a forward raises comes out as it is:
# a warning that the user made an error of, a FloatingPointError of np.errstate, a lack of memory.
EXPLAINED = (TinygraphError, ValueError, TypeError, IndexError)


# What NumPy gives to every ufunc, with the values that ask for nothing; and what to do instead of the others.
_UFUNC_DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "subok": True, "signature": None, "out": None}
_INSTEAD = {"where": ": it leaves elements undefined; choose them with np.where",
            "out": ": an array cannot hold what a tensor remembers; assign the result instead"}


class _LaidOut:
    """An attribute of an op that is worked out when it is first asked for: `import tinygraph` uses few ops."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, op: Op[..., Any] | None, kind: type) -> Any:
        if op is None:
            return self
        op._lay_out()
        return op.__dict__[self.name]  # where Python finds it from now on


def laid_out() -> Any:
    """What stands in the class for an attribute that `Op._lay_out` works out."""
    return _LaidOut()


class Op(Card, Generic[P, R]):
    """One operation. Call it like the NumPy function it stands for; read its card from its attributes.

    Attributes:
        rules: One vjp rule an input, None where the op is not differentiable in it.
        inputs, params: The names of the arguments that are arrays in order, and of all others.

    >>> import tinygraph as tg
    >>> tg.matmul.inputs, tg.reshape.params
    (('x', 'w'), ('shape', 'order', 'copy'))
    """

    function: Callable[P, R]
    inputs: tuple[str, ...] = laid_out()
    params: tuple[str, ...] = laid_out()
    rules: tuple[Rule | None, ...] = laid_out()
    nested_rule: Rule | None = laid_out()
    forward: Callable[..., Any] = laid_out()
    simple: bool = laid_out()
    total: bool = laid_out()
    _bare: int = laid_out()
    _star: str | None = laid_out()
    _before_star: tuple[str, ...] = laid_out()
    _takes_out: bool = laid_out()
    _leading: int = laid_out()
    _by_name: tuple[str, ...] = laid_out()
    _wanted: dict[Rule, tuple[str, ...]] = laid_out()
    _is_ufunc: bool = laid_out()

    def __init__(self, function: Callable[P, R], *, vjp: tuple[Rule | None, ...] | dict[str, Rule | None],
                 **card: Any) -> None:
        super().__init__(function, **card)
        self._vjp = vjp
        if isinstance(vjp, dict) and vjp and (unknown := set(vjp) - set(function.__code__.co_varnames)):
            raise TypeError(f"op {self.name}: rules for {sorted(unknown)}, which are not among its arguments "
                            f"{list(self.signature.parameters)}")

    def _lay_out(self) -> None:
        """Sort the arguments into inputs and params, and the rules by input."""
        function, nested = self.function, self.nested
        code = function.__code__
        named = code.co_argcount + code.co_kwonlyargcount
        self._star = code.co_varnames[named] if code.co_flags & inspect.CO_VARARGS else None
        names = list(code.co_varnames[:code.co_argcount])
        self._before_star = tuple(names)
        names += [self._star] if self._star else []
        names += code.co_varnames[code.co_argcount:named]
        if len(self._vjp) > len(names):
            raise TypeError(f"op {self.name}: {len(self._vjp)} rules, and it has the arguments {', '.join(names)}")
        by_name = self._vjp if isinstance(self._vjp, dict) else dict(zip(names, self._vjp, strict=False))
        # The arrays that stand alone come first; those inside the nested argument follow in the order they are found.
        self.inputs = tuple(name for name in by_name if name != nested)
        self.params = tuple(name for name in names if name not in self.inputs)
        self.rules = tuple(by_name[name] for name in self.inputs)
        self.nested_rule = by_name.get(nested) if nested else None
        self._takes_out = "out" in names
        # Inputs that lead the signature are passed by position, the others by name.
        self._leading = next((i for i, name in enumerate(self.inputs) if names[i] != name), len(self.inputs))
        self._by_name = self.inputs[self._leading:]
        self._wanted = {rule: _keywords(rule) for rule in (*self.rules, self.nested_rule) if rule is not None}
        if not nested:
            self._check_rules()
        self._is_ufunc = bool(self.stands_for) and isinstance(self.stands_for[0], np.ufunc)
        plain = len(self.stands_for) == 1 and self._is_ufunc and not self.params
        # A ufunc is called bare: the function around it says what it is and would cost 50 ns a call.
        self.forward = self.stands_for[0] if plain else function
        # What the hot path asks: no params and nothing to check; a rule for every input.
        self.simple = not (self.params or self.validate or self.outputs or code.co_kwonlyargcount
                           or any(self._wanted.values()))
        self.total = self.simple and None not in self.rules
        self._bare = len(self.inputs) if self.simple else -1  # how many arguments are inputs as they stand

    def _check_rules(self) -> None:
        """Raise where a rule takes another number of arguments by position than it will be given."""
        given = ("g", "y", *self.inputs)
        for name, rule in zip(self.inputs, self.rules, strict=True):
            code: CodeType | None = getattr(rule, "__code__", None)
            if code is not None and not code.co_flags & inspect.CO_VARARGS:
                taken = code.co_argcount
                if not taken - len(rule.__defaults__ or ()) <= len(given) <= taken:  # type: ignore[union-attr]
                    raise TypeError(f"op {self.name}: its rule for {name} takes {taken} arguments by position, and is "
                                    f"given {', '.join(given)}; the params that it needs stand after a *")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run on arrays, or run and record where a Tensor is among the inputs."""
        inputs: tuple[Any, ...] = args
        params = None
        if kwargs or len(args) != self._bare:
            inputs, params = self.bind(args, kwargs)
        for x in inputs:
            if isinstance(x, Handle):
                return x.apply(self, inputs, params)  # type: ignore[no-any-return]
        arrays = tuple(map(as_array, inputs))
        for x in arrays:
            if isinstance(x, Handle):  # made of a list of tensors
                return x.apply(self, arrays, params)  # type: ignore[no-any-return]
        return self.present(self.run(arrays, params))  # type: ignore[no-any-return]

    def __reduce__(self) -> str | tuple[Any, ...]:
        return find, (self.name,)

    @functools.cached_property
    def _binder(self) -> Callable[..., tuple[tuple[Any, ...], dict[str, Any] | None]]:
        """A function of the op's own signature that sorts a call into inputs and params, at the speed of a call."""
        arguments = inspect.signature(self.function).parameters.values()
        defaults = {f"_{a.name}": a.default for a in arguments if a.default is not a.empty}
        parts, keyword_only, varargs = [], False, False
        for a in arguments:
            if a.kind is a.VAR_POSITIONAL:
                parts.append(f"*{a.name}")
                varargs = True
                continue
            if a.kind is a.VAR_KEYWORD:
                parts.append(f"**{a.name}")
                continue
            if a.kind is a.KEYWORD_ONLY and not keyword_only:
                keyword_only = True
                if not varargs:
                    parts.append("*")
            parts.append(f"{a.name}=_{a.name}" if a.default is not a.empty else a.name)
        inputs = "".join(f"{name}, " for name in self.inputs)
        recorded = self.params or any(self._wanted.values())
        params = "{" + ", ".join(f"'{name}': {name}" for name in self.params) + "}" if recorded else "None"
        binder: Callable[..., tuple[tuple[Any, ...], dict[str, Any] | None]]
        # As namedtuple does it: the arguments are then sorted by the interpreter's own machinery.
        binder = eval(f"lambda {', '.join(parts)}: (({inputs}), {params})", defaults)
        binder.__name__ = binder.__qualname__ = self.name
        return binder

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any] | None]:
        """Sort a call's arguments into (inputs, params), in the form that a node records."""
        if kwargs and self._is_ufunc:
            args, kwargs = self._as_ufunc(args, kwargs)
        try:
            inputs, params = self._binder(*args, **kwargs)
        except TypeError as error:
            if "out" in kwargs and not self._takes_out:
                out = kwargs.pop("out")
                return self.bind(args, kwargs) if out is None else self._refuse_out()
            raise UnsupportedError(f"{error}; it takes {self.name}{self.signature}{here()}") from None
        if self._takes_out and params is not None and params.pop("out") is not None:
            self._refuse_out()
        if self.nested is not None and params is not None:
            found: list[Any] = []
            params[self.nested] = take_out(params[self.nested], found, len(inputs))
            inputs += tuple(found)
        return inputs, params

    def _refuse_out(self) -> NoReturn:
        raise UnsupportedError(f"{self.name}: out= would overwrite an array that the graph may need; assign the result "
                               f"instead{here()}")

    def _as_ufunc(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Do what the keywords of every NumPy ufunc say: convert to ``dtype``, refuse what cannot be done."""
        rest = {name: value for name, value in kwargs.items() if name not in _UFUNC_DEFAULTS}
        for name, default in _UFUNC_DEFAULTS.items():
            given = kwargs.get(name, default)
            if given is not default and (is_array(given) or given != default):
                raise UnsupportedError(f"{self.name}: {name}= is not supported{_INSTEAD.get(name, '')}; "
                                       f"it takes {self.name}{self.signature} and dtype={here()}")
        if (dtype := rest.pop("dtype", None)) is None:
            return args, rest
        arrays = [as_array(x) for x in args]
        for x in arrays:
            if hasattr(x, "dtype") and not np.can_cast(x.dtype, dtype, "same_kind"):
                raise DTypeError(f"{self.name}: dtype={np.dtype(dtype)} cannot hold what {x.dtype} holds{here()}")
        return tuple(x.astype(dtype) if hasattr(x, "dtype") else x for x in arrays), rest

    def run(self, values: tuple[Any, ...], params: dict[str, Any] | None) -> Any:
        """Compute on bare arrays: check the values, run the forward, say what was wrong in one sentence."""
        keywords = {} if params is None else self.filled(params, values)
        if params is not None:
            if self.nested is not None:
                values = values[:len(self.inputs)]
            if self._by_name:
                keywords = {**keywords, **dict(zip(self._by_name, values[self._leading:], strict=True))}
                values = values[:self._leading]
        try:
            if self.validate is not None:
                # An array that stands for others to come (a recording's) sees to it that they are checked then.
                for v in values:
                    if hasattr(v, "check_later"):
                        v.check_later(self.validate, values, keywords)
                        break
                else:
                    self.validate(*values, **keywords)
            if self._star is not None:
                before = [keywords[name] for name in self._before_star]
                rest = {name: value for name, value in keywords.items()
                        if name not in self._before_star and name != self._star}
                return self.forward(*before, *keywords[self._star], **rest)
            return self.forward(*values, **keywords)
        except TinygraphError as error:
            line = here()
            told = f"{error}" if self.name in str(error).partition(" ")[0] else f"{self.name}: {error}"
            raise type(error)(told if told.endswith(line) else told + line) from None
        except EXPLAINED as error:
            raise self.explain(error, values, keywords) from error

    def filled(self, params: dict[str, Any], values: tuple[Any, ...]) -> dict[str, Any]:
        """The params with the arrays put back into their slots."""
        if self.nested is None:
            return params
        return {**params, self.nested: put_back(params[self.nested], values)}

    def rule(self, position: int) -> Rule | None:
        """The rule of input ``position``; all arrays inside the nested argument share one."""
        return self.rules[position] if position < len(self.rules) else self.nested_rule

    def bound_rules(self, params: dict[str, Any], values: Sequence[Any]) -> list[Rule | None]:
        """The rules of a node's inputs, given by name what each asks for.

        That is a param; its own position ``k`` among the arrays of the nested argument; or ``memo``, a dict in which
        the rules of one node keep, within one sweep, what they share.
        """
        known = {**self.filled(params, tuple(values)), "memo": {}}
        bound: list[Rule | None] = []
        for position in range(len(values)):
            rule = self.rule(position)
            if rule is not None and (wanted := self._wanted[rule]):
                if self.nested is not None:
                    known["k"] = position - len(self.inputs)
                rule = functools.partial(rule, **{name: known[name] for name in wanted})
            bound.append(rule)
        return bound

    def present(self, value: Any) -> Any:
        """What the caller sees of a forward's result: hidden outputs taken off, NumPy's named tuple put on."""
        if not self.outputs:
            return value
        visible = value[:self.outputs - self.hidden]
        if self.result is not None:
            return self.result(*visible)
        return visible[0] if len(visible) == 1 else visible

    def explain(self, error: Exception, values: tuple[Any, ...], keywords: dict[str, Any]) -> TinygraphError:
        """Make one sentence of what NumPy raised: the op, what it was given, why not, and the user's line."""
        if isinstance(error, TinygraphError):
            return error
        kind: type[TinygraphError] = UnsupportedError if isinstance(error, TypeError) else ShapeError
        if isinstance(error, np.linalg.LinAlgError):
            kind = LinAlgError
        known = all(hasattr(v, "shape") or isinstance(v, int | float | complex) for v in values)
        shapes = [getattr(v, "shape", ()) for v in values]
        of_shapes = kind is ShapeError and not isinstance(error, np.exceptions.AxisError)
        if self.mismatch is not None and known and of_shapes:
            return kind(f"{self.name}: {self.mismatch(*values, **keywords)}{here()}")
        two = known and len(values) == 2 and not keywords and kind is not LinAlgError
        if two and (clash := broadcast_clash(*shapes)):
            return kind(f"{self.name}: {shapes[0]} and {shapes[1]} do not broadcast: {clash}{here()}")
        inside: Any = ()
        if self.nested in keywords:
            inside = keywords[self.nested] if self._star == self.nested else (keywords[self.nested],)
        given = ", ".join(describe(v) for v in (*values, *inside) if v is not None)
        usual = {} if isinstance(self.function, np.ufunc) else self.signature.parameters
        asked = "".join(f", {name}={value!r}" for name, value in keywords.items() if not hasattr(value, "shape")
                        and name != self.nested and not (name in usual and value == usual[name].default))
        return kind(f"{self.name}({given}{asked}): {plainly(error, values, keywords)}{here()}")


def op(*, vjp: tuple[Rule | None, ...] | dict[str, Rule | None], **card: Any) -> Callable[[Callable[P, R]], Op[P, R]]:
    """Register the decorated NumPy function as an op; the arguments are the attributes of `Op`.

    ``vjp`` gives one rule an input, in the order of the function's arguments or by their names; an argument without
    an entry is a param. A rule is called ``rule(g, y, *inputs)`` and names, after a ``*``, the params it needs.

    >>> import numpy as np
    >>> from tinygraph.core.op import OPS, op
    >>> @op(symbol="x³", vjp=(lambda g, y, x: g * 3 * x ** 2,))
    ... def cube(x):
    ...     return x ** 3
    >>> import tinygraph as tg
    >>> tg.grad(cube)(2.0)
    np.float64(12.0)
    >>> del OPS["cube"]
    """
    def register(function: Callable[P, R]) -> Op[P, R]:
        return enter(Op(function, vjp=vjp, **card), OPS)
    return register


def enter(made: Entered, registry: dict[str, Op[..., Any]]) -> Entered:
    """Put an op into a registry, and let it stand for NumPy's functions; TypeError where its name is taken."""
    if (other := OPS.get(made.name) or COMPOSED.get(made.name)) is not None:
        raise TypeError(f"op {made.name} is registered already, by {other.function.__module__}")
    registry[made.name] = made
    BY_NUMPY.update(dict.fromkeys(made.stands_for, made))
    return made


@functools.cache
def load_all() -> None:
    """Import every op there is, once: the families that come later, and other packages' entry points ``tinygraph.ops``.

    Whoever goes through OPS, COMPOSED or BY_NUMPY as a whole calls it first.
    """
    from importlib.metadata import entry_points
    for module in LATER:
        importlib.import_module(module)
    for entry in entry_points(group="tinygraph.ops"):
        entry.load()


def find(name: str) -> Op[..., Any]:
    """The op, or function of ops, of this name; imports all there are before it gives up with a KeyError.

    >>> from tinygraph.core.op import find
    >>> find("relu").name
    'relu'
    """
    if name not in OPS and name not in COMPOSED:
        load_all()
    return OPS[name] if name in OPS else COMPOSED[name]


@op(vjp=(None,), symbol="[i]")
def pick(value: Any, index: int) -> Any:
    """One of the outputs of an op that has several.

    The engine itself carries the cotangent: it belongs at place ``index`` of a tuple, not in an array.

    >>> pick((10, 20), 1)
    np.int64(20)
    """
    return value[index]


def as_array(x: Any) -> Any:
    """Nested lists and tuples as an ndarray, as a Tensor where there are such among them; everything else as it is."""
    if type(x) is not list and type(x) is not tuple:
        return x
    try:
        return np.array(x)
    except GradientError:  # of a Tensor that would have left the graph
        return find("array")(x)


def _keywords(rule: Rule) -> tuple[str, ...]:
    code: CodeType | None = getattr(rule, "__code__", None)
    if code is not None:
        return code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
    parameters = inspect.signature(rule).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
