"""Writes docs/ops.md, the table of all ops, from their cards and from the cases that the suite tries them on.

python docs/ops_table.py
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from cases import CASES  # noqa: E402

from tinygraph.core.kinds import Constant  # noqa: E402
from tinygraph.core.op import COMPOSED, OPS, Op  # noqa: E402
from tinygraph.render.formula import parse, plain  # noqa: E402
from tinygraph.testing.trial import Trial  # noqa: E402

ORDERS = ("first order", "second order", "third order")

HEAD = """\
<!-- Written by docs/ops_table.py from the ops' cards: change those, and run it again. -->
# What is supported

{rules} ops have rules of their own, {composed} functions are made of them and bring no rule, and {constants} have no
derivative; each has NumPy's, SciPy's or PyTorch's name and signature. What is not here raises an error that names it.

- **Formula**: what comes back to each input that an op is differentiable in. Y is the output (Y₀, Y₁, ... of several),
  capitals are the inputs, ⊙ is the elementwise product, Σ alone sums over what a broadcast or a reduction
  joined, [A > B] is 1 where it holds and 0 elsewhere, \\* conjugates. What happens at kinks, ties and singular points
  is told in [Derivatives](derivatives.md).
- **Orders**: up to which order the rules are held against central differences, on all sample inputs or on the share
  that is given. Rules are made of ops, so there is no last order.
- **FLOPs**: floating-point operations of one forward, as the card counts them; blank where it does not.
"""

LEGEND = {
    "decompositions": "Φ takes the lower triangle with half of the diagonal, sym and skew are (M ± Mᵀ) / 2, copyltu "
                      "copies the lower triangle to the upper one, F is 1 / (wⱼ - wᵢ) off the diagonal (of an SVD "
                      "1 / (sⱼ² - sᵢ²)), s = diag(Σ V ⊙ ∂L/∂V) over columns.",
    "making": "wₖ goes from 0 at the start to 1 at the end.",
    "norms": "p is the order; u, v and σ are singular vectors and values.",
    "quantile": "t is how far a quantile lies on the way from one element to the next.",
    "reduction": "N is how many elements are counted, less ddof; μ is their mean.",
    "nanreduction": "N is how many numbers are counted, less ddof; μ is their mean.",
    "sampled": "t is how far x lies on the way from one knot to the next, m the slope there.",
}


def page() -> str:
    """The whole page."""
    families: dict[str, list[tuple[str, Op[..., Any]]]] = {}
    for name, op in sorted({**OPS, **COMPOSED}.items(), key=lambda item: item[0].rpartition(".")[2]):
        if name in CASES and name != "pick":  # which only the engine calls
            families.setdefault(_family(op), []).append((name, op))
    counts = {"composed": sum(name in COMPOSED for name in CASES),
              "constants": sum(isinstance(op, Constant) for op in OPS.values())}
    text = [HEAD.format(rules=len(CASES) - 1 - sum(counts.values()), **counts)]
    for family, members in sorted(families.items()):
        text += _section(family, members)
    return "\n".join(text)


def _family(op: Op[..., Any]) -> str:
    """The file that an op stands in; a function of NumPy's own stands where it was made an op."""
    module = op.function.__module__ if op.function.__module__.startswith("tinygraph") else _made_in()[op.name]
    return module.rpartition(".")[2]


@functools.cache
def _made_in() -> dict[str, str]:
    return {name: path.stem for path in (ROOT / "tinygraph" / "ops").glob("*.py")
            for name in re.findall(r"constant\(np\.(?:\w+\.)*(\w+)", path.read_text(encoding="utf-8"))}


def _section(family: str, members: list[tuple[str, Op[..., Any]]]) -> Iterator[str]:
    yield f"\n## {family}\n"
    documented = sys.modules.get(f"tinygraph.ops.{family}") or sys.modules[f"tinygraph.core.{family}"]
    yield _one_line((documented.__doc__ or "").partition("\n\n")[0])
    rows = [_row(name, op) for name, op in members if name in OPS and not isinstance(op, Constant)]
    if rows:
        yield "\n| op | the same as | formula | orders | FLOPs |\n|---|---|---|---|---|"
        yield from rows
        if family in LEGEND:
            yield f"\n{LEGEND[family]}"
    for lead, chosen in (("Made of ops", [_name(n, op) for n, op in members if n in COMPOSED]),
                         ("Without a derivative", [_name(n, op) for n, op in members if isinstance(op, Constant)])):
        if chosen:
            yield f"\n{lead}: {', '.join(chosen)}."


def _name(name: str, op: Op[..., Any]) -> str:
    return f"`{name.removeprefix('scipy.special.')}`" + (" of SciPy" if name.startswith("scipy.") else "")


def _row(name: str, op: Op[..., Any]) -> str:
    inputs = [*op.inputs, *([op.nested] if op.nested else [])]
    formulas = [(given, plain(parse(op.formula(i)))) for i, given in enumerate(inputs) if op.rule(i) is not None]
    told = "<br>".join(_escaped(text) if len(formulas) == 1 else f"{_escaped(given)}: {_escaped(text)}"
                       for given, text in formulas)
    cells = [f"`{name}`", _same_as(op), told or "none: it is constant between its steps", _orders(op), _cost(op)]
    return f"| {' | '.join(cells)} |"


def _same_as(op: Op[..., Any]) -> str:
    names = [f if isinstance(f, str) else f"{_module(f)}.{f.__name__}" for f in op.stands_for]
    names += [text for text in op.function.__code__.co_consts if str(text).endswith(f".{op.name}")]
    shown = [f"`{name}`" for name in dict.fromkeys(names) if "._" not in name]
    if not shown and (peer := re.search(r"PyTorch's (function of this name|\w+)|by (SciPy)\.", op.__doc__ or "")):
        own = peer[2] or peer[1].startswith("function of")
        return f"{'SciPy' if peer[2] else 'PyTorch'}'s `{op.name if own else peer[1]}`"
    return ", ".join(shown)


def _module(function: Any) -> str:
    module = getattr(function, "__module__", None) or "numpy"
    return re.sub(r"^numpy(\.lib.*|\._core.*)?$", "np", module).replace("numpy.", "np.")


def _orders(op: Op[..., Any]) -> str:
    tried = [case for case in CASES[op.name] if Trial(op, case).wrt]
    for order in (3, 2, 1):
        proven = [case for case in tried if not case.skip.intersection(ORDERS[:order])]
        if proven:
            share = f" ({len(proven)} of {len(tried)})" if len(proven) < len(tried) else ""
            return f"{order}{share}"
    return ""


def _cost(op: Op[..., Any]) -> str:
    if op.flops is None:
        return ""
    module = sys.modules[op.function.__module__]
    cost = _cards(module)[op.name]
    if isinstance(cost, ast.Name):
        defined, = ast.parse(inspect.getsource(op.flops)).body
        if len(defined.body) > 2 or "_paired" in op.flops.__code__.co_names:
            return _escaped(_one_line(op.flops.__doc__ or "").partition(". ")[0].rstrip(".")).replace("``", "`")
        cost = defined.body[-1].value
    return f"`{ast.unparse(_Bare(vars(module)).visit(cost.body if isinstance(cost, ast.Lambda) else cost))}`"


@functools.cache
def _cards(module: types.ModuleType) -> dict[str, Any]:
    """What each op's card says of its ``flops``."""
    return {node.name: keyword.value for node in ast.parse(inspect.getsource(module)).body
            if isinstance(node, ast.FunctionDef) for card in node.decorator_list if isinstance(card, ast.Call)
            for keyword in card.keywords if keyword.arg == "flops"}


class _Bare(ast.NodeTransformer):
    """Python as a formula: without ``int()`` and ``np.``, a module's own constants by their values."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(self.known[node.id]) if isinstance(self.known.get(node.id), int) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return node.args[0] if isinstance(node.func, ast.Name) and node.func.id == "int" else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "np":
            return ast.Name(node.attr)
        return ast.Call(ast.Name(node.attr), [node.value], []) if node.attr == "shape" else node


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    return re.sub(r"([*_|\\<])", r"\\\1", text)


if __name__ == "__main__":
    (ROOT / "docs" / "ops.md").write_text(page(), encoding="utf-8")
