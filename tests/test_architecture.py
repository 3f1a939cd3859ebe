"""The house stands as docs/architecture.md says: imports go down, and what is public is documented by example."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import networkx as nx
import numpy as np
import pytest

import tinygraph as tg
from tinygraph.core.kinds import Constant
from tinygraph.core.op import LATER

ROOT = Path(__file__).parents[1]

# A module imports only from lower floors and, on its own, from what stands before it; a package's files from each other
# as well. The face, tinygraph/__init__.py, stands on top of the fourth: the floors above it are loaded when asked for.
FLOORS = [
    "core.memory core.files core.errors core.context core.messages core.arguments core.plain "
    "core.card core.op core.kinds core.node core.backward",
    "ops.constants ops.elementwise ops.choice ops.transcendental ops.bessel ops.complex "
    "ops.shape ops.index ops.join ops.making ops.applying ops.matrices ops.sorting ops.padding ops.windows ops.sampled "
    "ops.scan ops.reduction ops.nanreduction ops.quantile ops.linalg ops.einsum ops.solving "
    "ops.determinants ops.decompositions ops.norms ops.matrix_functions ops.stacks ops.fft ops.conv ops.pool ops.loss "
    "ops.special "
    "ops.gamma",
    "elsewhere dispatch assignment methods tensors",
    "linalg fft scipy random differences transforms analysis",
    "nn optim data",
    "ask",
    "render compiler",
    "testing training",
    "cli __main__",
]
RANK = {f"tinygraph.{name}": (floor, place)
        for floor, names in enumerate(FLOORS, 1) for place, name in enumerate(names.split(), 1)}
RANK["tinygraph"] = (4, 99)
HEAVY = ["networkx", "matplotlib", "scipy", "safetensors", "tqdm"]


def modules():
    """Every module of the package by name, with its file."""
    files = (ROOT / "tinygraph").rglob("*.py")
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files}
    return {name: path for path, name in sorted(names.items())}


MODULES = modules()


def entry(name):
    """The part of a module's name that has a place on a floor: that of its package, unless the file has its own."""
    parts = name.split(".")
    return next(head for n in range(len(parts), 0, -1) if (head := ".".join(parts[:n])) in RANK)


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(name, path):
    """(module, line) for each import from the package itself, those inside functions among them."""
    tree = ast.parse(path.read_bytes())
    # The face names what it loads later, for type checkers alone.
    skipped = {inner for node in ast.walk(tree) if is_type_checking(node) and name == "tinygraph"
               for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            # `from package import module` is an import of the module, any other of the package itself.
            found = [f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in MODULES else node.module
                     for alias in node.names]
        else:
            continue
        yield from ((module, node.lineno) for module in found if module.split(".")[0] == "tinygraph")


def import_graph():
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(MODULES)
    for name, path in MODULES.items():
        for module, line in imports(name, path):
            graph.add_edge(name, module, line=f"{path.relative_to(ROOT)}:{line}")
    return graph


def public_names():
    values = {name: getattr(tg, name) for name in dir(tg) if not name.startswith("_")}
    return {name: value for name, value in values.items() if getattr(value, "__module__", "") != "typing"}


def test_every_module_has_a_floor():
    packages = {"tinygraph.core", "tinygraph.ops"}  # their files are listed one by one
    homeless = [name for name in MODULES.keys() - packages - {"tinygraph"} if entry(name) == "tinygraph"]
    assert homeless == []
    assert [edge for name in packages for edge in imports(name, MODULES[name])] == []


def test_imports_make_no_circle():
    graph = nx.DiGraph(import_graph())
    assert set(graph) == set(MODULES)
    circles = [sorted(circle) for circle in nx.strongly_connected_components(graph) if len(circle) > 1]
    assert circles == []
    assert nx.is_directed_acyclic_graph(graph)


def test_imports_go_down():
    up = []
    for name, module, line in import_graph().edges(data="line"):
        ours, theirs = entry(name), entry(module)
        if ours != theirs and RANK[ours] <= RANK[theirs]:
            up.append(f"{line}: {name} (floor {RANK[ours][0]}) imports {module} (floor {RANK[theirs][0]})")
    assert up == []


def test_the_import_graph_is_seen():
    """If the reading of imports broke, the two tests above would pass on nothing."""
    graph = nx.DiGraph(import_graph())
    assert graph.has_edge("tinygraph.tensors", "tinygraph.core.node")
    assert graph.has_edge("tinygraph.nn.wrap", "tinygraph.nn.faults")
    assert graph.has_edge("tinygraph", "tinygraph.ops.shape")
    assert not graph.has_edge("tinygraph", "tinygraph.nn.wrap")
    assert nx.has_path(graph, "tinygraph.ask.check", "tinygraph.core.errors")


def test_modules_are_named_by_string_in_the_face_alone():
    """An import that is hidden in a string would not be in the graph."""
    hidden = []
    for path in MODULES.values():
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
                hidden += [f"{path.relative_to(ROOT)}:{node.lineno}" for part in ast.walk(node)
                           if isinstance(part, ast.Constant) and str(part.value).startswith("tinygraph")]
    assert {line.split(":")[0] for line in hidden} == {"tinygraph/__init__.py"}


def test_what_the_face_loads_later_is_there():
    later = {f"tinygraph.{module}" for module in tg._LATER.values()} | {f"tinygraph.{module}" for module in tg._MODULES}
    assert later <= set(MODULES)
    assert set(tg._LATER) | tg._MODULES <= set(dir(tg))
    for name in tg._LATER:
        assert getattr(tg, name) is getattr(importlib.import_module(f"tinygraph.{tg._LATER[name]}"), name)


def test_no_function_has_the_name_of_a_module():
    tops = {module.name for module in pkgutil.iter_modules([str(ROOT / "tinygraph")])}
    assert {"linalg", "data", "tensors"} <= tops
    assert [name for name, value in public_names().items() if name in tops and not isinstance(value, ModuleType)] == []


@pytest.mark.parametrize("statement", ["import tinygraph", "import tinygraph as tg; tg.tensor(1.0, True).backward()"])
def test_importing_loads_nothing_heavy(statement):
    code = f"import sys; {statement}; print(sorted({{name.split('.')[0] for name in sys.modules}} & set({HEAVY})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def loaded_after(statements):
    code = f"import sys; {statements}; print(*(name for name in sys.modules if name.startswith('tinygraph')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True)
    return set(done.stdout.split())


def test_importing_loads_no_floor_above_the_tensors_and_no_later_family_of_ops():
    loaded = loaded_after("import tinygraph") - {"tinygraph.core", "tinygraph.ops", "tinygraph"}
    assert "tinygraph.tensors" in loaded
    assert [name for name in loaded if RANK[entry(name)][0] > 3] == []
    assert loaded & set(LATER) == set()


@pytest.mark.parametrize("statement", [
    "tinygraph.median(t)", "numpy.median(t)", "numpy.fft.fft(t)", "tinygraph.fft.fft(t)", "numpy.linalg.det(t)",
    "tinygraph.core.op.find('det')", "dir(tinygraph)"])
def test_a_later_family_is_loaded_when_it_is_asked_for(statement):
    loaded = loaded_after(f"import numpy, tinygraph; t = tinygraph.tensor([[1., 2.], [3., 4.]], True); {statement}")
    assert loaded & set(LATER)


def test_every_family_of_ops_is_loaded_now_or_later():
    families = {name for name in MODULES if name.startswith("tinygraph.ops.")}
    assert families == set(LATER) | (loaded_after("import tinygraph") & families)
    assert all((ROOT / f"{name.replace('.', '/')}.py").is_file() for name in LATER)


def is_documented_by_its_own(value):
    """Ops without a derivative are NumPy's own functions, and dtypes its own; an error speaks in its message."""
    speaks = inspect.isclass(value) and issubclass(value, Exception | np.generic)
    return callable(value) and not isinstance(value, Constant | ModuleType) and not speaks


def test_every_public_name_has_a_docstring_with_an_example():
    finder = doctest.DocTestFinder(exclude_empty=True)
    with_example: set[str] = set()
    for name in MODULES:
        if name != "tinygraph.__main__":
            with_example |= {test.name for test in finder.find(importlib.import_module(name)) if test.examples}
    public = {name: value for name, value in public_names().items() if is_documented_by_its_own(value)}
    public |= {f"{package}.{name}": getattr(module, name) for package in ("data", "nn")
               for module in [getattr(tg, package)] for name in module.__all__
               if is_documented_by_its_own(getattr(module, name))}
    assert len(public) > 50
    home = {name: f"{value.__module__}.{value.__qualname__}" for name, value in public.items()}
    assert [name for name in public if home[name] not in with_example] == []


def test_every_public_name_has_a_docstring():
    functions = {name: value for name, value in public_names().items() if callable(value)}
    assert [name for name, value in functions.items() if not (value.__doc__ or "").strip()] == []


def test_every_module_says_what_it_is():
    without = [name for name, path in MODULES.items()
               if path.read_bytes().strip() and not ast.get_docstring(ast.parse(path.read_bytes()))]
    assert without == []
