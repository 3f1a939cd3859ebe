"""draw: the picture of a live graph, forward and backward in one figure, to be saved or shown in a notebook."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tinygraph.render.html  # noqa: F401 - registers the page
from tinygraph.analysis import Graph, graph
from tinygraph.core.arguments import Array, Handle
from tinygraph.core.context import HOOKS
from tinygraph.core.errors import ArgumentError, MissingDependencyError
from tinygraph.core.files import write_whole
from tinygraph.core.messages import here
from tinygraph.render import exports, html, mermaid  # noqa: F401 - their formats register themselves
from tinygraph.render.build import Origin, picture
from tinygraph.render.dot import dot
from tinygraph.render.formats import WHOLE, find
from tinygraph.render.hints import Hints
from tinygraph.render.overlay import Measure, Notes
from tinygraph.render.scene import Scene
from tinygraph.render.view import Collapse

SHOWN = 200
"""A notebook shows a larger graph as text: laying it out would hold up the cell."""


class Drawing:
    """The picture of a graph. It shows itself in Jupyter; ``save`` writes a file, ``source`` is the DOT text.

    Attributes:
        graph: What is drawn.
        scene: What the picture shows, as plain data.
        origin: What that was made of.
        opened: Makes both anew, with a frame around what was collapsed into a box.
    """

    def __init__(self, scene: Scene, origin: Origin, opened: Callable[[], tuple[Scene, Origin]]) -> None:
        self.graph, self.scene, self.origin, self.opened = origin.graph, scene, origin, opened

    @functools.cached_property
    def source(self) -> str:
        """The picture in DOT, the language of Graphviz; needs nothing installed."""
        with _collector_at_rest():
            return dot(self.scene)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture in the format that the ending names, or the graph.

        The picture as svg, png, pdf, html (a page to step through), dot or mmd (Mermaid); the graph as json or
        graphml; what a plugin adds.

        The folder is made where it is missing, and a file that was there is replaced in one step. Raises
        ArgumentError for an unknown ending or a graph too large to lay out, MissingDependencyError without Graphviz.

        >>> import pathlib, tempfile
        >>> import tinygraph as tg
        >>> x = tg.tensor(2.0, requires_grad=True, name="x")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "square.dot")
        ...     tg.draw(x * x).save(path)
        ...     print(path.read_text()[:9])
        digraph G
        """
        write_whole(path, self.render(Path(path).suffix))

    def render(self, ending: str) -> bytes:
        """The content of a file with this ending, which `save` writes; it raises what `save` raises.

        >>> import tinygraph as tg
        >>> tg.draw(tg.tensor(1.0)).render("dot")[:9]
        b'digraph G'
        """
        render = find(ending)
        return render(self if ending.lower().lstrip(".") in WHOLE else self.scene)

    def __repr__(self) -> str:
        count = self.scene.nodes
        return f"<drawing of {count:,} node{'s' * (count != 1)}; .save('graph.svg') writes it>"

    def _repr_svg_(self) -> str | None:
        return self._repr_mimebundle_().get("image/svg+xml")

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        shown = {"text/plain": repr(self)}
        if len(self.scene.boxes) > SHOWN:
            return shown
        # A notebook's output must never fail: without a picture the text says why there is none.
        try:
            return {**shown, "image/svg+xml": self.render("svg").decode()}
        except MissingDependencyError as error:
            return {"text/plain": f"{self!r}\n{error}"}
        except Exception as error:
            return {"text/plain": f"{self!r}\nno picture: {error!r}"}


def draw(root: Handle | Graph, *, show: str | None = None, backward: bool | None = None,
         seed: Array | None = None, hints: Hints | None = None, depth: int | None = None,
         collapse: Collapse | bool | None = None, fold_repeats: bool = False,
         color_by: Measure | None = None, notes: Notes | None = None, theme: str | None = None) -> Drawing:
    """Draw what a tensor was computed from: each op a circle, each value a wire, its gradient the wire back.

    Args:
        root: A tensor, usually the loss; or a graph, from `tinygraph.graph`.
        show: "symbols" (names and formulas), "shapes", "values" (numbers in place of shapes), or "all". Left out:
            everything for a small graph, less for a larger one.
        backward: True computes the gradients now, without touching any ``grad``; False draws the forward pass alone;
            None shows them where backward has run, and a dash where it has not.
        seed: The root's cotangent, where it is no single number.
        hints: Where things should stand; see `tinygraph.Hints`.
        depth: How many levels of `tinygraph.scope` are drawn open; a deeper scope is one box.
        collapse: Tells by a scope's path, such as "encoder/attention", whether it is one box; True for all, False for
            none. With neither this, ``depth`` nor ``fold_repeats`` a graph of more than 1,000 nodes is collapsed by
            itself, by scope or else by runs of equal structure, and the picture says so.
        fold_repeats: Draw of stretches of equal structure that follow one another the first alone, with their number.
        color_by: What the boxes' colours tell, with a legend: "flops", "bytes", "time" (each op is run again),
            "grad_norm", "nan"; or numbers and texts, from a function of a graph's node or by the node's id.
        notes: What to tell of nodes, by their ids in ``tg.graph(root)``: their boxes are outlined, and the first few
            notes stand under the picture.
        theme: "light" or "dark". Left out, SVG and HTML follow what the reader prefers, and the rest is light.

    >>> import tinygraph as tg
    >>> x = tg.tensor(3.0, requires_grad=True, name="x")
    >>> tg.draw(x * x + x, backward=True)
    <drawing of 3 nodes; .save('graph.svg') writes it>
    """
    if seed is not None and backward is False:
        raise ArgumentError(f"draw: a seed is for the backward pass, which backward=False leaves out{here()}")
    with _collector_at_rest():
        make = functools.partial(picture, root if isinstance(root, Graph) else graph(root), show, backward, seed, hints,
                                 depth=depth, collapse=collapse, fold_repeats=fold_repeats, color_by=color_by,
                                 notes=notes, theme=theme)
        return Drawing(*make(), functools.partial(make, opened=True))


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Without the collector of circular garbage: a picture is thousands of small objects and none of them in a circle.

    Each of its passes would go over all objects of the program, which takes longer than the drawing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def display(thing: Handle | Graph) -> dict[str, str]:
    """What a notebook shows of a tensor or a graph: its text, and its picture where there is one to draw."""
    shown = {"text/plain": str(thing) if isinstance(thing, Graph) else repr(thing)}
    found = thing if isinstance(thing, Graph) else graph(thing)
    if len(found) == 1 or len(found) > SHOWN:
        return shown
    try:
        return {**draw(found)._repr_mimebundle_(), **shown}
    except Exception:  # a notebook's output must never fail
        return shown


HOOKS["display"] = display
