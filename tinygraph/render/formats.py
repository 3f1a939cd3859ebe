"""The file formats of a picture, by the ending of a file's name: those here, and those that plugins register.

Another package registers a format in a module of its own, which it names as an entry point of the group
``tinygraph.renderers``; entry points are read when an ending is first asked for that nobody has registered.
"""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Callable
from typing import TypeAlias

from tinygraph.core.errors import ArgumentError, MissingDependencyError, TinygraphError
from tinygraph.core.messages import here
from tinygraph.render.dot import FONT, dot
from tinygraph.render.scene import COLOURS, Scene

Renderer: TypeAlias = Callable[[Scene], bytes]
"""Takes a scene and gives the content of a file."""

RENDERERS: dict[str, Renderer] = {}
"""The registered formats, by ending."""

LARGEST = 2000
"""Graphviz lays out no larger graph in a time that a person would wait for."""

FALLBACKS = ("Verdana", "Noto Sans", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", "sans-serif")
"""What stands in where the reader's machine lacks the font; Japanese among it."""

DARK = {"ink": "#E8E8E8", "backward": "#56B4E9", "quiet": "#A8A8A8", "op": "#4D4420", "highlight": "#E69F00",
        "paper": "#1B1B1B"}
"""The colours where the reader prefers dark pages."""

PAPER = "#FFFFFF"


def renderer(*endings: str) -> Callable[[Renderer], Renderer]:
    """Register the decorated function as the format of files with these endings.

    >>> from tinygraph.render.formats import RENDERERS, renderer
    >>> @renderer("count")
    ... def count(scene):
    ...     return str(len(scene.boxes)).encode()
    >>> import tinygraph as tg
    >>> RENDERERS["count"](tg.draw(tg.tensor(1.0)).scene)
    b'1'
    >>> del RENDERERS["count"]
    """
    def register(function: Renderer) -> Renderer:
        for ending in endings:
            RENDERERS[ending.lower().lstrip(".")] = function
        return function
    return register


@functools.cache
def load_plugins() -> None:
    """Import what other packages registered as entry points of the group ``tinygraph.renderers``, once."""
    from importlib.metadata import entry_points
    for entry in entry_points(group="tinygraph.renderers"):
        entry.load()


def find(ending: str) -> Renderer:
    """The renderer of files with this ending; ArgumentError lists those there are.

    >>> find("dot").__name__
    'as_dot'
    """
    ending = ending.lower().lstrip(".")
    if ending not in RENDERERS:
        load_plugins()
    if ending not in RENDERERS:
        asked = f"{ending!r} is no format of pictures" if ending else "the file's name has no ending"
        raise ArgumentError(f"draw: {asked}; there are {', '.join(sorted(RENDERERS))}{here()}")
    return RENDERERS[ending]


@renderer("dot", "gv")
def as_dot(scene: Scene) -> bytes:
    """DOT itself, which needs no Graphviz."""
    return dot(scene).encode()


@renderer("png")
def as_png(scene: Scene) -> bytes:
    """A bitmap."""
    return graphviz(scene, "png")


@renderer("pdf")
def as_pdf(scene: Scene) -> bytes:
    """A page as large as the picture."""
    return graphviz(scene, "pdf")


@renderer("svg")
def as_svg(scene: Scene) -> bytes:
    """Vectors, with a title for screen readers, colours that follow the reader's dark mode, and fallback fonts."""
    svg = graphviz(scene, "svg").decode()
    svg = re.sub(r"<!--.*?-->\n?|<title>[^<]*</title>\n", "", svg, flags=re.S)
    # A browser takes "transparent" for a stroke, other readers of SVG 1.1 fail at it.
    svg = svg.replace(f' font-family="{FONT}"', "").replace('stroke="transparent"', 'stroke="none"')
    head = f'role="img" font-family="{", ".join((FONT, *FALLBACKS))}">\n<title>{html.escape(scene.title)}</title>'
    return re.sub(r"(<svg\b[^>]*)>", lambda tag: f"{tag[1]} {head}\n<style>{_style()}</style>", svg, count=1).encode()


def _style() -> str:
    """Each colour as a variable, so that a page, or dark mode, can change it."""
    light = {**COLOURS, "paper": PAPER}
    rules = [f".tinygraph{{{_variables(light)}}}",
             f"@media(prefers-color-scheme:dark){{.tinygraph{{{_variables(DARK)}}}}}"]
    for name, colour in light.items():
        rules += [f'.tinygraph [{where}="{colour.lower()}"]{{{where}:var(--tg-{name})}}'
                  for where in ("fill", "stroke")]
    return "".join(rules)


def _variables(colours: dict[str, str]) -> str:
    return ";".join(f"--tg-{name}:{colour}" for name, colour in colours.items())


def graphviz(scene: Scene, format: str) -> bytes:
    """Have Graphviz lay out and print a scene; MissingDependencyError says how to install it where it is missing."""
    if scene.nodes > LARGEST:
        raise ArgumentError(f"draw: Graphviz cannot lay out {scene.nodes:,} nodes in reasonable time (at most "
                            f"{LARGEST:,}); save it as .dot, or hand tg.graph(...).to_networkx() to another "
                            f"tool{here()}")
    try:
        from graphviz import CalledProcessError, ExecutableNotFound, Source
    except ImportError as error:
        raise MissingDependencyError("draw: pictures need the package graphviz: pip install graphviz") from error
    try:
        return bytes(Source(dot(scene, PAPER)).pipe(format=format, quiet=True))
    except ExecutableNotFound as error:
        raise MissingDependencyError(
            "draw: pictures need Graphviz's program dot, which is not installed: sudo apt install graphviz (Debian, "
            "Ubuntu), brew install graphviz (macOS) or winget install graphviz (Windows); .source and "
            '.save("graph.dot") work without it') from error
    except CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().partition("\n")[0] if error.stderr else str(error)
        raise TinygraphError(f"draw: Graphviz could not write {format}: {said}") from error
