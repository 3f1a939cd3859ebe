"""Sphinx's settings: Markdown pages through MyST, and a reference made of the docstrings of every public name."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import re
import types
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

project = "tinygraph"
author = "the tinygraph authors"
copyright = "2026, the tinygraph authors"
release = version = importlib.metadata.version("tinygraph")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
# So that "[the tutorial](tutorial.md#second-derivatives)" finds its heading.
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"tinygraph {release}"
autodoc_member_order = "bysource"


def _home(thing: Any) -> str:
    """The file that defines a public name: its own, or for an op made by a call, that of its class."""
    return getattr(thing, "__module__", None) or type(thing).__module__


class PublicNames(SphinxDirective):
    """``.. public-names:: MODULE`` documents what a namespace offers, grouped by the files that define it.

    automodule would pass most of it over, since an op is an object and not a function.
    """

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        namespace = self.arguments[0]
        module = importlib.import_module(namespace)
        groups: dict[str, list[str]] = {}
        for name in sorted(n for n in getattr(module, "__all__", dir(module)) if not n.startswith("_")):
            thing = getattr(module, name)
            if isinstance(thing, types.ModuleType) or not callable(thing) or not _home(thing).startswith("tinygraph"):
                continue
            entry = [f".. autofunction:: {namespace}.{name}", ""]
            if inspect.isclass(thing):
                entry = [f".. autoclass:: {namespace}.{name}", "   :members:",
                         "   :inherited-members: object, Exception, dict", ""]
            groups.setdefault(_home(thing), []).extend(entry)
        lines = []
        for home, entries in sorted(groups.items()):
            lines += [f".. rubric:: {home}", "", *entries] if len(groups) > 1 else entries
        return self.parse_text_to_nodes("\n".join(lines))


def _as_rst(lines: list[str]) -> list[str]:
    """Turn a docstring, written to be read as it stands, into reStructuredText that shows it so.

    Doctests stay; a paragraph laid out by hand (indented, or in columns) becomes literal; in any other only the marks
    that reStructuredText would take for its own are escaped, outside of ``code``.
    """
    result: list[str] = []
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        if paragraph.lstrip().startswith(">>>"):
            result += [*paragraph.split("\n"), ""]
        elif re.search(r"^\s|\S {2,}\S", paragraph, re.M):
            result += ["::", "", *("    " + line for line in paragraph.split("\n")), ""]
        else:
            pieces = re.split(r"(``.+?``|:\w+:`.+?`)", paragraph, flags=re.S)
            pieces[::2] = [re.sub(r"([*|`\\]|_(?=\W|$))", r"\\\1", piece) for piece in pieces[::2]]
            result += ["".join(pieces).replace("\n", " "), ""]
    return result


def _process_docstring(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = _as_rst(lines)


def setup(app: Sphinx) -> None:
    """Tell Sphinx of the directive, and of the way docstrings are read."""
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", _process_docstring)
