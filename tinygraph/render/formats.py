"""The file formats of a picture, by the ending of a file's name: those here, and those that plugins register.

Another package registers a format in a module of its own, which it names as an entry point of the group
``tinygraph.renderers``; entry points are read when an ending is first asked for that nobody has registered.
"""

from __future__ import annotations

import functools
import html
import logging
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any, TypeAlias

from tinygraph.core.errors import ArgumentError, MissingDependencyError, TinygraphError
from tinygraph.core.messages import here
from tinygraph.render.dot import FONT, dot
from tinygraph.render.scene import COLOURS, Scene
from tinygraph.render.svg import svg as svg_without_graphviz


class LayoutError(TinygraphError):
    """Graphviz is there and failed, as it does on some dense graphs, or takes too long."""


Renderer: TypeAlias = Callable[[Any], bytes]
"""Takes a scene, or the whole drawing, and gives the content of a file."""

RENDERERS: dict[str, Renderer] = {}
"""The registered formats, by ending."""

WHOLE: set[str] = set()
"""The endings of the formats that need the graph as well, and so take the `Drawing`."""

PATIENCE, LONG_PATIENCE = 10, 300
"""So many seconds Graphviz may take where tinygraph can stand in for it, and where it cannot."""

LARGEST = 2000
"""No picture with more boxes is laid out in a time that a person would wait for."""

FAMILY = f"{FONT}, Verdana, Noto Sans, Noto Sans CJK JP, Hiragino Sans, Yu Gothic, sans-serif"
"""The font, and what stands in where the reader's machine lacks it; Japanese among it."""

DARK = {"ink": "#E8E8E8", "backward": "#56B4E9", "quiet": "#A8A8A8", "op": "#4D4420", "highlight": "#E69F00",
        "group": "#303030", "heat0": "#2E2A20", "heat1": "#4A3D18", "heat2": "#664B14", "heat3": "#825512",
        "heat4": "#9C5210", "zero": "#4A4A4A", "broken": "#8E3226", "detached": "#234763", "paper": "#1B1B1B"}
"""The colours where the reader prefers dark pages."""

PAPER = "#FFFFFF"


def renderer(*endings: str, whole: bool = False) -> Callable[[Renderer], Renderer]:
    """Register the decorated function as the format of files with these endings.

    It takes the scene; where ``whole`` is true the `Drawing`, with the graph and its numbers.

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
        for ending in (ending.lower().lstrip(".") for ending in endings):
            RENDERERS[ending] = function
            (WHOLE.add if whole else WHOLE.discard)(ending)
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
    style = "" if scene.theme else _style()
    try:
        svg = graphviz(scene, "svg").decode()
    except (MissingDependencyError, LayoutError) as error:
        say_once(str(error))
        check_size(scene)
        return _themed(svg_without_graphviz(scene, style, FAMILY, PAPER), scene).encode()
    svg = re.sub(r"<!--.*?-->\n?|<title>[^<]*</title>\n", "", svg, flags=re.S)
    # A browser takes "transparent" for a stroke, other readers of SVG 1.1 fail at it.
    svg = svg.replace(f' font-family="{FONT}"', "").replace('stroke="transparent"', 'stroke="none"')
    svg = _CELL.sub(_joined, svg)
    head = f'role="img" font-family="{FAMILY}">\n<title>{html.escape(scene.title)}</title>'
    return re.sub(r"(<svg\b[^>]*)>", lambda tag: f"{tag[1]} {head}\n<style>{style}</style>", svg, count=1).encode()


_CELL = re.compile(r'points="(-?[\d.]+),(-?[\d.]+) \1,(-?[\d.]+) (-?[\d.]+),\3 \4,\2 \1,\2"')


def _joined(cell: re.Match[str]) -> str:
    """A cell one point high, which goes on with a line that Graphviz ends a point before it, up to that line's end."""
    left, low, high, right = map(float, cell.groups())
    if abs(high - low) != 1:
        return cell[0]
    left, right = left - 1, right + 1
    return f'points="{left:g},{low:g} {left:g},{high:g} {right:g},{high:g} {right:g},{low:g} {left:g},{low:g}"'


def _themed(source: str, scene: Scene) -> str:
    """DOT or SVG in the theme's colours; one that a user's text names stays, since quotes are escaped there."""
    if scene.theme != "dark":
        return source
    dark = {colour.lower(): DARK[name] for name, colour in {**COLOURS, "paper": PAPER}.items()}
    return re.sub('="(#[0-9A-Fa-f]{6})"', lambda match: f'="{dark[match[1].lower()]}"', source)


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


def check_size(scene: Scene) -> None:
    """Raise ArgumentError for a picture too large to be laid out."""
    if len(scene.boxes) > LARGEST:
        raise ArgumentError(f"draw: {len(scene.boxes):,} boxes cannot be laid out in reasonable time (at most "
                            f"{LARGEST:,}); draw it collapsed (depth=, collapse=, fold_repeats=True), save it as .dot, "
                            f"or hand tg.graph(...).to_networkx() to another tool{here()}")


@functools.cache
def say_once(problem: str) -> None:
    """Tell, the first time only, that a picture was laid out without Graphviz. No warning: pictures must not fail."""
    logging.getLogger("tinygraph").warning("%s. Laid out by tinygraph itself, less well.", problem)


def graphviz(scene: Scene, format: str) -> bytes:
    """Have Graphviz lay out and print a scene, without a shell.

    Raises MissingDependencyError, which says how to install it, and LayoutError where it fails or takes too long.
    """
    check_size(scene)
    program = shutil.which("dot")
    if program is None:
        raise MissingDependencyError(
            "draw: pictures need Graphviz's program dot, which is not installed: sudo apt install graphviz (Debian, "
            "Ubuntu), brew install graphviz (macOS) or winget install graphviz (Windows); .source and "
            '.save("graph.dot") work without it, and .save("graph.svg") in a plainer layout')
    source = _themed(dot(scene, PAPER), scene).encode()
    limit = PATIENCE if format == "svg" else LONG_PATIENCE
    try:
        done = subprocess.run([program, f"-T{format}"], input=source, capture_output=True, check=True, timeout=limit)
    except subprocess.TimeoutExpired as error:
        raise LayoutError(f"draw: Graphviz has not laid out {len(scene.boxes):,} boxes in {limit} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().partition("\n")[0] or str(error)
        raise LayoutError(f"draw: Graphviz could not write {format}: {said}") from error
    return done.stdout
