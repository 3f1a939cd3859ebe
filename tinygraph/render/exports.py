"""The graph itself as a file: JSON, which can be read back, and GraphML for other tools.

The JSON's schema is documented in docs/pictures.md. It holds of each array the shape, the dtype and what a picture
prints of it; the numbers only where they are asked for.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from tinygraph.analysis import Cotangents, Graph, GraphNode, Outline, drawn, graph, one_line
from tinygraph.core.arguments import Array, Handle
from tinygraph.core.errors import DataError, GradientError, UnsupportedError
from tinygraph.core.messages import here
from tinygraph.core.node import Node
from tinygraph.core.op import Op, Rule, find, pick
from tinygraph.render.build import Origin
from tinygraph.render.formats import renderer
from tinygraph.render.text import printed

FORMAT = "tinygraph graph"
VERSION = 1


class Whole(Protocol):
    """A drawing."""

    @property
    def origin(self) -> Origin:
        """What it was made of."""


@renderer("json", whole=True)
def as_json(drawing: Whole) -> bytes:
    """The graph in JSON, without the numbers of its arrays."""
    return _written(drawing.origin.graph, drawing.origin.cotangents, values=False).encode()


@renderer("graphml", whole=True)
def as_graphml(drawing: Whole) -> bytes:
    """The graph in GraphML, by networkx."""
    import networkx as nx

    net = drawing.origin.graph.to_networkx()
    for _, facts in net.nodes(data=True):  # XML has no place for some characters, and no escape for them either
        facts.update({key: one_line(value, 1000) for key, value in facts.items() if isinstance(value, str)})
    file = io.BytesIO()
    nx.write_graphml_xml(net, file)
    return file.getvalue()


def graph_to_json(root: Handle | Graph, *, values: bool = False) -> str:
    """A graph in JSON, with its gradients where backward has run; `graph_from_json` reads it back.

    root: a tensor, or a graph   values: whether to write the numbers of all arrays, too

    >>> import tinygraph as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> print(graph_from_json(graph_to_json(x * x)))
    #  op        name  shape  dtype    inputs  FLOPs  bytes
    0  leaf      x     (2,)   float64              0     16
    1  multiply        (2,)   float64  #0 #0       2     16
       2 nodes, 2 edges                            2     32
    """
    whole = root if isinstance(root, Graph) else graph(root)
    known = whole.cotangents() if whole.differentiated and len(whole.roots) == 1 and whole.roots[0].value.size == 1 \
        else None
    return _written(whole, known, values)


# --- writing ----------------------------------------------------------------------------------------------------------


def _written(whole: Graph, cotangents: Cotangents | None, values: bool) -> str:
    places = {out: (node.id, _index(out)) for node in whole for out in node.outputs}
    head = json.dumps({"format": FORMAT, "version": VERSION, "roots": [places[root] for root in whole.roots]})
    # One node a line: two graphs can be compared by any tool that compares texts.
    lines = ",\n".join(json.dumps(_node(node, places, cotangents, values), allow_nan=False) for node in whole)
    return f'{head[:-1]}, "nodes": [\n{lines}\n]}}\n'


def _index(out: Node) -> int:
    return int(out.params["index"]) if out.op is pick and out.params else 0


def _node(node: GraphNode, places: dict[Node, tuple[int, int]], cotangents: Cotangents | None,
          values: bool) -> dict[str, Any]:
    op = node.node.op
    gradient = cotangents.nodes.get(node.id) if cotangents else None
    gradients = gradient if isinstance(gradient, tuple) else (gradient,)
    used = {_index(out): out for out in node.outputs}
    arrays = node.value if isinstance(node.value, tuple) else (node.value,)
    place = node.location
    return {
        "id": node.id, "op": node.op, "symbol": node.symbol, "tuple": bool(op is not None and op.outputs),
        "outputs": [{
            "name": used[i].name if i in used else None, "used": i in used or op is None, **_array(value, values),
            "gradient": _array(gradients[i], values) if i < len(gradients) and gradients[i] is not None else None,
        } for i, value in enumerate(arrays)],
        "inputs": [_input(node, position, places, cotangents, values) for position in range(len(node.inputs))],
        "params": {name: one_line(repr(value), 80) for name, value in (node.node.params or {}).items()},
        "requires_grad": node.requires_grad, "scope": list(node.scope), "flops": node.flops, "bytes": node.bytes,
        "place": [os.path.basename(place[0]), place[1], place[2]] if place else None,
    }


def _input(node: GraphNode, position: int, places: dict[Node, tuple[int, int]], cotangents: Cotangents | None,
           values: bool) -> dict[str, Any] | None:
    op, parent = node.node.op, node.node.parents[position]
    assert op is not None
    if type(parent) is not Node:
        return {"constant": _array(parent, values)} if drawn(parent) else None
    id, output = places[parent]
    handed = cotangents.edges.get((node.id, position)) if cotangents else None
    return {"node": id, "output": output,
            "formula": op.formula(position),
            "flows": parent.requires_grad and op.rule(position) is not None,
            "gradient": _array(handed, values) if handed is not None else None}


def _array(value: Any, values: bool) -> dict[str, Any]:
    dtype = getattr(value, "dtype", None) or type(value).__name__
    facts: dict[str, Any] = {"shape": list(np.shape(value)), "dtype": str(dtype), "text": printed(value)}
    if values and not isinstance(value, Outline):
        facts["values"] = _numbers(value)
    return facts


def _numbers(value: Any) -> Any:
    """The numbers as nested lists; a complex one as [real, imaginary], one that JSON lacks as a text."""
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise UnsupportedError(f"graph_to_json: an array of dtype {array.dtype} has no numbers to write{here()}")
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], axis=-1)
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        words = [x if math.isfinite(x) else str(x) for x in np.ravel(array).tolist()]
        return np.reshape(np.array(words, dtype=object), array.shape).tolist()
    return array.tolist()


# --- reading ----------------------------------------------------------------------------------------------------------


def graph_from_json(source: str | bytes | os.PathLike[str]) -> Graph:
    """The graph that a JSON file of tinygraph's holds, to be drawn, printed as a table or handed to networkx.

    Arrays whose numbers were not written are `tinygraph.analysis.Outline` s: shape, dtype and what a picture prints.

    source: the file's path, or its text, which begins with a brace

    Raises DataError for what is no such file or has been damaged.

    >>> import pathlib, tempfile
    >>> import tinygraph as tg
    >>> x = tg.tensor(3.0, requires_grad=True, name="x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "square.json")
    ...     tg.draw(x * x).save(path)
    ...     read = tg.graph_from_json(path)
    >>> tg.draw(read).source == tg.draw(x * x).source
    True
    """
    text = source
    if not isinstance(text, bytes) and not (isinstance(text, str) and text.lstrip().startswith("{")):
        text = Path(text).read_bytes()
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise DataError(f"graph_from_json: this is JSON, and no graph of tinygraph's{here()}")
        if content["version"] != VERSION:
            raise DataError(f"graph_from_json: this file has version {content['version']!r} of the schema; this "
                            f"tinygraph reads version {VERSION}{here()}")
        return _Reader(content).graph
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"graph_from_json: damaged or no graph of tinygraph's: {type(error).__name__} "
                        f"{error}{here()}") from error


class ReadGraph(Graph):
    """A graph that was read from a file: its gradients are those that were written."""

    def __init__(self, roots: tuple[Node, ...], found: Cotangents) -> None:
        super().__init__(roots)
        self._found = found

    @property
    def differentiated(self) -> bool:
        """Whether gradients were written."""
        return bool(self._found.nodes)

    def cotangents(self, seed: Array | None = None) -> Cotangents:
        """The gradients that were written; GradientError where there are none, since nothing can be computed here."""
        if not self._found.nodes or seed is not None:
            raise GradientError(f"this graph was read from a file: its gradients cannot be computed{here()}")
        return self._found


class _Reader:
    """Makes nodes of the engine's kind of what a file tells, so that a graph that was read is like any other."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.serial = count()
        self.outputs: list[list[Node | None]] = []
        self.found = Cotangents({}, {})
        for id, told in enumerate(content["nodes"]):
            self._add(id, told)
        roots = [self._output(id, output) for id, output in content["roots"]]
        self.graph = ReadGraph(tuple(roots), self.found)
        if len(self.graph) != len(self.outputs) or not roots:
            raise ValueError("it has nodes that no root was computed from")

    def _output(self, id: int, output: int) -> Node:
        node = self.outputs[id][output]
        if node is None or id < 0 or output < 0:
            raise ValueError(f"output {output} of node {id} is used and said to be unused")
        return node

    def _add(self, id: int, told: dict[str, Any]) -> None:
        outputs = told["outputs"]
        values = tuple(_recalled(output) for output in outputs)
        totals = tuple(_recalled(output["gradient"]) if output["gradient"] else None for output in outputs)
        several = bool(told["tuple"])
        rest = int(told["bytes"]) - sum(value.nbytes for value in values)
        hidden = (Outline((), "float64", (), rest),) if several and rest > 0 else ()
        op = _Recalled(told, len(values), len(hidden)) if told["op"] is not None else None
        whole = self._node(op, told, (*values, *hidden) if several else values[0])
        whole.parents = tuple(self._input(id, position, given) for position, given in enumerate(told["inputs"]))
        if several:
            made = [self._node(pick, told, value) if output["used"] else None
                    for value, output in zip(values, outputs, strict=True)]
            for index, node in enumerate(made):
                if node is not None:
                    node.parents, node.params = (whole,), {"index": index}
        else:
            made = [whole]
        for node, output, total in zip(made, outputs, totals, strict=True):
            if node is not None and output["name"] is not None:
                node.name = str(output["name"])
            if node is not None and op is None and total is not None:
                node.grad = total
        if any(total is not None for total in totals):
            self.found.nodes[id] = totals if len(totals) > 1 else totals[0]
        self.outputs.append(made)

    def _node(self, op: Op[..., Any] | None, told: dict[str, Any], value: Any) -> Node:
        node = Node()
        node.op, node.parents, node.params, node.value = op, (), None, value
        node.serial, node.requires_grad, node.watched = next(self.serial), bool(told["requires_grad"]), op is None
        node.scope = tuple(str(name) for name in told["scope"])
        if told["place"] is not None:
            node.code, node.instruction = _Place(*told["place"]), 0  # type: ignore[assignment]
        return node

    def _input(self, id: int, position: int, given: dict[str, Any] | None) -> Any:
        if given is None or "constant" in given:
            return given and _recalled(given["constant"])
        if given["gradient"]:
            self.found.edges[id, position] = _recalled(given["gradient"])
        return self._output(int(given["node"]), int(given["output"]))


class _Recalled(Op[..., Any]):
    """The card of an op that a file tells of; the registry's adds what no file holds, where it knows the op."""

    def __init__(self, told: dict[str, Any], outputs: int, hidden: int) -> None:
        inputs, known = told["inputs"], None
        with contextlib.suppress(KeyError):
            known = find(told["op"])
        self.name, self.symbol = str(told["op"]), str(told["symbol"])
        self.tex = tuple(str(given.get("formula", "")) if given else "" for given in inputs)
        self.inputs = known.inputs if known else tuple(f"input {i}" for i in range(len(inputs)))
        self.nested, self.numpy = (known.nested, known.numpy) if known else (None, ())
        self.outputs, self.hidden = (outputs + hidden, hidden) if told["tuple"] else (0, 0)
        self._flops = int(told["flops"])
        self._flows = tuple(bool(given and given.get("flows")) for given in inputs)
        self.flops = self._counted

    def _counted(self, *values: Array, **params: Any) -> int:
        return self._flops

    def rule(self, position: int) -> Rule | None:
        """Stand for the rule that there was."""
        return _not_here if self._flows[position] else None


def _not_here(*values: Array, **params: Any) -> Array:
    raise GradientError(f"this graph was read from a file: nothing can be computed with it{here()}")


class _Place(NamedTuple):
    """The place in the code that made a node, with the face of a code object."""

    co_filename: str
    line: int
    co_name: str

    def co_lines(self) -> list[tuple[int, int, int]]:
        """One instruction, on its line."""
        return [(0, 1, self.line)]


def _recalled(told: dict[str, Any]) -> Any:
    """An array of which the numbers were written, or what is known of one of which they were not."""
    shape, text = tuple(int(n) for n in told["shape"]), tuple(str(line) for line in told["text"])
    if "values" not in told:
        return Outline(shape, str(told["dtype"]), text)
    dtype = np.dtype(told["dtype"])
    if dtype.kind not in "biufc":
        raise ValueError(f"numbers of dtype {dtype}")
    array = np.array(told["values"], dtype=float if dtype.kind in "fc" else dtype)
    if dtype.kind == "c":
        array = array[..., 0] + 1j * array[..., 1]
    return np.reshape(array.astype(dtype), shape)
