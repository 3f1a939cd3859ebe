"""Is a rule right where it stands? One node's rules, held against central differences; its kinks told apart."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygraph.ask.check.slopes import UNSETTLED, Local, disagreement, only_at
from tinygraph.ask.wording import at, count, step
from tinygraph.core.arguments import Array
from tinygraph.core.node import Node
from tinygraph.core.op import pick
from tinygraph.differences import random_direction
from tinygraph.nn.wrap import layer_of

FREE = frozenset({"eig", "eigh", "svd", "qr"})
"""Ops whose factors are determined up to a phase or a turn. What depends on that has no derivative; so they are tried
on the cotangent that they have in the graph, in which it must cancel."""

_ALL = 600
"""Inputs of up to so many elements are tried one by one to find the worst; in larger ones it is found by halving."""


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """What `check_graph` found about one gradient of one node.

    Attributes:
        id: The node's, in ``tg.graph(loss)``.
        op, argument: Whose gradient in which argument; None for a wrapped layer, which is checked as a whole.
        verdict: ``"right"``; ``"wrong"``; ``"kink"``, where the op has no derivative at some of these inputs and the
            rule gives one of the slopes beside it; ``"skipped"``.
        reason: What is wrong, or why it was not checked; may be empty.
        index: The element in which the two are furthest apart.
        analytic, numeric: The derivative of the sum of the op's results in that element, by the rule and by central
            differences (of their sum with random weights, where only that tells the two apart).
        file, line: Where the node was made.

    >>> CheckedRule(3, "sin", 0, "right").verdict
    'right'
    """

    id: int
    op: str
    argument: int | None
    verdict: str
    reason: str = ""
    index: tuple[int, ...] | None = None
    analytic: Any = None
    numeric: Any = None
    file: str | None = None
    line: int | None = None
    where: str = ""

    def __str__(self) -> str:
        of = "" if self.argument is None else f", argument {self.argument}"
        text = f"{self.verdict}: {self.where}{of}"
        if self.index is not None:
            text += (f"{at(self.index)}: the rule gives {_short(self.analytic)}, central differences "
                     f"{_short(self.numeric)}")
        return text + (f": {self.reason}" if self.reason else "")


class NodeCheck:
    """The check of one node."""

    def __init__(self, id: int, node: Node, rng: np.random.Generator, actual: Any) -> None:
        self.id, self.node, self.rng, self.actual = id, node, rng, actual

    def row(self, argument: int | None, verdict: str, reason: str = "", **facts: Any) -> CheckedRule:
        """A row about this node."""
        location = self.node.location
        file, line = (location[0], location[1]) if location else (None, None)
        return CheckedRule(self.id, self.node.op.name, argument, verdict, reason,  # type: ignore[union-attr]
                           file=file, line=line, where=step(self.node), **facts)

    def rows(self) -> list[CheckedRule]:
        """What there is to say of each input that is a tensor."""
        node = self.node
        assert node.op is not None
        if layer_of(node) is not None:
            return self._layer()
        rows, positions = [], []
        for position, parent in enumerate(node.parents):
            if type(parent) is not Node:
                continue
            why = _unasked(node, position, parent)
            if why:
                rows.append(self.row(position, "skipped", why))
            else:
                positions.append(position)
        if not positions:
            return rows
        try:
            local = Local(node)
        except Exception:  # it takes no float64, and says so in its own way
            local = Local(node, widen=False)
        why = _untellable(local, positions)
        if why:
            return rows + [self.row(position, "skipped", why) for position in positions]
        return rows + self._checked(local, positions)

    def _layer(self) -> list[CheckedRule]:
        layer, node = layer_of(self.node), self.node
        assert layer is not None
        assert node.params is not None
        values = [p.value if type(p) is Node else p for p in node.parents]
        inputs = values[:len(values) - len(layer.weights)]
        try:
            own = layer.copied()
        except Exception as error:
            return [self.row(None, "skipped", f"the layer cannot be copied ({error}); call its check() instead")]
        mistakes = own.check(*copy.deepcopy(inputs), **node.params["call"].keywords)
        return [self.row(None, "wrong", mistake) for mistake in mistakes] or [self.row(None, "right")]

    def _checked(self, local: Local, positions: list[int]) -> list[CheckedRule]:
        """The rows of the inputs that can be checked, each with what the hidden outputs hand on as well."""
        found: dict[int, CheckedRule] = {}
        is_free = local.op.name in FREE
        for hidden in (False, True) if local.hidden and not is_free else (False,):
            g = self._in_the_graph(local) if is_free else local.seed(self.rng, hidden)
            if g is None:
                return [self.row(position, "skipped", "no gradient reaches it") for position in positions]
            try:
                gradients = local.gradients(g)
            except Exception as error:
                for position in positions:
                    found.setdefault(position, self.row(position, "wrong", f"its rules raise {type(error).__name__}: "
                                                                           f"{error}"))
                break
            for position in positions:
                if position not in found or found[position].verdict == "right":
                    found[position] = self._compare(local, g, gradients, position, hidden)
        return [found[position] for position in positions]

    def _in_the_graph(self, local: Local) -> list[Any] | None:
        """The cotangent that the node has in the graph, an entry an output; None where there is none."""
        parts = list(self.actual) if isinstance(self.actual, tuple) else [self.actual]
        parts += [None] * (len(local.y) - len(parts))
        return parts if any(part is not None and np.any(part) for part in parts) else None

    def _compare(self, local: Local, g: list[Any], gradients: dict[int, Array], position: int,
                 hidden: bool) -> CheckedRule:
        x = local.values[position]
        c = gradients.get(position, np.zeros_like(x))  # a rule that gives None says that there is none
        sound = np.isfinite(c)
        direction = np.where(sound, self._direction(local, g, position), 0)
        gradients = {**gradients, position: np.where(sound, c, 0)}
        strange = int(np.sum(~sound))
        kink = f"the rule is not finite in {strange:,} of {count(c.size, 'element')}" if strange else ""
        apart = disagreement(local, g, {position: direction}, gradients)
        if apart is None:
            return self.row(position, "kink" if kink else "right", kink)
        masks = local.kinked({position: local.scaled(direction, position, relative=False)})
        kinks = sum(int(np.sum(mask)) for mask in masks if mask is not None)
        if kinks:
            smooth = [None if p is None else np.where(mask, 0, p) for p, mask in zip(g, masks, strict=True)]
            on_smooth = self._finite(local.gradients(smooth), x, position)
            apart = disagreement(local, smooth, {position: direction}, on_smooth)
            if apart is None:
                return self._at_kink(local, g, masks, position, kinks)
            g, gradients = smooth, on_smooth
        if apart is UNSETTLED:
            return self.row(position, "skipped", "its differences depend on the step, by rounding or a jump")
        return self._worst(local, g, gradients, position, direction, hidden)

    def _direction(self, local: Local, g: list[Any], position: int) -> Array:
        """A random direction; one that keeps a symmetric matrix symmetric for an op that reads only half of it."""
        x = local.values[position]
        d = random_direction(self.rng, x)
        if x.ndim < 2 or x.shape[-1] != x.shape[-2] or not np.allclose(x, np.conj(np.swapaxes(x, -1, -2)), 1e-12):
            return d
        if any(local.slope(g, {position: half(d, k)}, local.step)[0] == 0 for half, k in ((np.tril, -1), (np.triu, 1))):
            return np.asarray((d + np.conj(np.swapaxes(d, -1, -2))) / 2)
        return d

    @staticmethod
    def _finite(gradients: dict[int, Array], x: Array, position: int) -> dict[int, Array]:
        c = gradients.get(position, np.zeros_like(x))
        return {**gradients, position: np.where(np.isfinite(c), c, 0)}

    # --- where there is no derivative ---------------------------------------------------------------------------

    def _at_kink(self, local: Local, g: list[Any], masks: list[Any], position: int, kinks: int) -> CheckedRule:
        """A rule that is right elsewhere: at the kinks it must be one of the slopes beside them."""
        results = sum(int(np.size(part)) for part, mask in zip(local.y, masks, strict=True) if mask is not None)
        told = f"{kinks:,} of {count(results, 'result')} on a kink, where there is no derivative"
        # Moved alike, what ties goes on tying, and there is a derivative in that direction after all.
        held = [None if p is None else np.where(mask, np.absolute(p), 0) for p, mask in zip(g, masks, strict=True)]
        gradients = local.gradients(held)
        for k in (1.0, 2.0):
            together = {i: np.asarray(1 + 0.5 * np.sin(k * np.real(local.values[i])), c.dtype)
                        for i, c in gradients.items()}
            if not any(np.any(mask) for mask in local.kinked(together) if mask is not None):
                apart = disagreement(local, held, together, gradients)
                if apart is not None and apart is not UNSETTLED:
                    return self.row(position, "wrong", f"{told}: where the inputs that tie are moved together it has "
                                    f"the slope {apart[1]:.6g}, and the rules give {apart[0]:.6g} in all")
                return self.row(position, "kink", told)
        x = local.values[position]
        for _ in range(4):
            d = {position: local.scaled(random_direction(self.rng, x), position, False)}
            for part, mask in enumerate(masks):
                for flat in np.flatnonzero(mask)[:4] if mask is not None else ():
                    row = self._beside(local, part, int(flat), position, d, told)
                    if row is not None:
                        return row
        return self.row(position, "kink", told)

    def _beside(self, local: Local, part: int, flat: int, position: int, d: dict[int, Array],
                told: str) -> CheckedRule | None:
        """Whether the rule's slope for one result lies between those on its two sides."""
        g: list[Any] = [None] * len(local.y)
        g[part] = only_at(np.ones_like(local.y[part]), [flat])
        y = local.y[part]

        def beside(sign: int, h: float) -> float:
            moved = local.at({position: sign * h * d[position]})[part]
            return float(np.real(sign * np.sum(g[part] * (moved - y)) / h))
        right, left = beside(1, local.step), beside(-1, local.step)
        analytic = float(np.real(np.sum(local.gradients(g)[position] * d[position])))
        low, high = min(left, right), max(left, right)
        steepest = max(abs(low), abs(high))
        torn = max(abs(beside(1, local.step / 8)), abs(beside(-1, local.step / 8))) > 3 * steepest
        if torn or not np.isfinite([low, high, analytic]).all():  # a jump, or the end of the domain
            return None
        if low - 1e-3 * steepest <= analytic <= high + 1e-3 * steepest:
            return None
        index = tuple(int(i) for i in np.unravel_index(flat, np.shape(y)))
        return self.row(position, "wrong", f"{told}; for its result{at(index)} the slopes on the two sides are "
                                           f"{left:.6g} and {right:.6g}, and the rule's is {analytic:.6g}")

    # --- which element ------------------------------------------------------------------------------------------

    def _worst(self, local: Local, g: list[Any], gradients: dict[int, Array], position: int, direction: Array,
               hidden: bool) -> CheckedRule:
        """The row that names the worst element of a wrong gradient, and if possible the kind of mistake."""
        x, reason = local.values[position], ""
        ones = [None if p is None else np.where(p == 0, 0, one) for p, one in zip(g, local.ones(), strict=True)]
        if not hidden and np.size(x):
            at_ones = self._finite(local.gradients(ones), x, position)
            if disagreement(local, ones, {position: direction}, at_ones) is None:
                reason = "it is right for a cotangent of 1 alone: the rule leaves g out, or does not follow it"
            else:
                g, gradients = ones, at_ones
        c = gradients[position]
        if c.size <= _ALL:
            numeric = np.array([self._element(local, g, position, flat) for flat in range(c.size)], c.dtype)
            numeric = numeric.reshape(c.shape)
            gap = np.absolute(c - numeric)
            flat = int(np.argmax(np.where(np.isfinite(gap), gap, 0)))
            reason = reason or _mistake(c, numeric)
            value = numeric.reshape(-1)[flat]
        else:
            flat = self._halved(local, g, c, position)
            value = self._element(local, g, position, flat)
        if hidden:
            reason = "in the part for its hidden output, which second derivatives need" + (reason and f"; {reason}")
        index = tuple(int(i) for i in np.unravel_index(flat, c.shape))
        return self.row(position, "wrong", reason, index=index, analytic=c[index].item(), numeric=value)

    def _element(self, local: Local, g: list[Any], position: int, flat: int) -> Any:
        """The central difference in one element; of a complex one, the derivative that backward would give."""
        x = local.values[position]
        one = only_at(np.ones_like(x), [flat])
        for relative, fraction in ((False, 1.0), (True, 1.0), (True, 1 / 1000)):
            d = local.scaled(one, position, relative)
            size = float(np.real(d.reshape(-1)[flat]))
            value: Any = local.slope(g, {position: d}, local.step * fraction)[0] / size
            if x.dtype.kind == "c":
                value -= 1j * local.slope(g, {position: 1j * d}, local.step * fraction)[0] / size
            if np.isfinite(value):
                break
        return value

    def _halved(self, local: Local, g: list[Any], c: Array, position: int) -> int:
        """A flat place where a large gradient is far off: again and again the half that is further off."""
        places = np.arange(c.size)
        while places.size > 1:
            halves = np.array_split(places, 2)
            gaps = []
            for half in halves:
                gap = 0.0
                for _ in range(2):
                    d = only_at(random_direction(self.rng, c), half)
                    numeric, made, _ = local.slope(g, {position: local.scaled(d, position, False)}, local.step)
                    gap = max(gap, abs(numeric - float(np.real(np.sum(c * made[position])))))
                gaps.append(gap)
            places = halves[int(gaps[1] > gaps[0])]
        return int(places[0])


def _unasked(node: Node, position: int, parent: Node) -> str:
    """Why backward asks no rule for this input."""
    assert node.op is not None
    kind = parent.value.dtype.kind if parent.op is not pick or not isinstance(parent.value, tuple) else "f"
    if kind not in "fc":
        return "integers carry no gradient"
    if not parent.requires_grad:
        return "the tensor requires no gradient"
    if node.op.rule(position) is None:
        return f"{node.op.name} has no derivative in argument {position}"
    if not np.size(parent.value):
        return "the input is empty"
    return ""


def _untellable(local: Local, positions: list[int]) -> str:
    """Why no difference of this op could be taken; empty where it can."""
    if not all(np.all(np.isfinite(local.values[i])) for i in positions):
        return "an input holds NaN or infinity"
    if not local.visible:
        return "the result is of integers"
    if not any(np.size(local.y[i]) for i in local.visible):
        return "the result is empty"
    if not local.repeats():
        return "the op gives another result each time"
    if any(not np.any(np.isfinite(local.y[i])) for i in local.visible):
        return "the result is NaN or infinite"
    if not local.is_as_recorded():
        return "an input was written into since: on what it holds now the op gives another result than the recorded one"
    return ""


def _mistake(c: Array, numeric: Array) -> str:
    """What kind of mistake makes this of the right gradient; empty where it is none of the usual ones."""
    if not np.all(np.isfinite(numeric)):
        return ""
    tolerance = 1e-5 * float(np.max(np.absolute(numeric), initial=0))
    if not np.any(c):
        return "the rule gives 0 everywhere"
    if np.allclose(c, -numeric, 1e-5, tolerance):
        return "the sign is wrong"
    scale = np.sum(np.conj(c) * numeric) / np.sum(np.absolute(c) ** 2)
    if np.allclose(c * scale, numeric, 1e-5, tolerance) and np.absolute(scale) > 1e-9:
        return f"a factor of {_short(scale)} is missing"
    if c.ndim == 2 and c.shape[0] == c.shape[1] and np.allclose(c.T, numeric, 1e-5, tolerance):
        return "it is transposed"
    return ""


def _short(x: Any) -> str:
    return f"{np.real(x):.6g}" if not np.iscomplexobj(x) or np.imag(x) == 0 else f"{complex(x):.6g}"
