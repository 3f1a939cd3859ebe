"""The page: one HTML file that steps through a graph forward and backward, without a server and without a network.

Its parts lie in ``page/``, as they are written. The policy in its head lets run and style only what their hashes name,
and lets it ask for nothing.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import html
import json
import re
from importlib import resources
from typing import Any

from tinygraph.render.formats import DARK, LARGEST, PAPER, find, renderer
from tinygraph.render.scene import COLOURS
from tinygraph.render.story import Story, Told, boxed_frames

SCRIPTS = ("strings", "graph", "picture", "groups", "panel", "chain", "main", "start")
"""The files of the script, in the order in which they build on one another; those between the first and the last tell
one picture, and begin anew with another."""

HOT = {"light": "#E8772E", "dark": "#B34700"}
"""The far end of the colour scale: on it the ink can still be read."""


@renderer("html", "htm", whole=True)
def as_html(drawing: Told) -> bytes:
    """The page, whole in one file."""
    told, svgs = _told(drawing)
    style, picture = _colours() + _part("page.css"), _repaint() + _part("picture.css")
    first, *parts_of_one, last = (_part(f"{name}.js") for name in SCRIPTS)
    script = "\n".join([first, "function tellPicture(parameters, over, focus) {", *parts_of_one, "}", last])
    parts = {
        "policy": policy((script,), (style, picture)),
        "theme": f' data-theme="{drawing.scene.theme}"' if drawing.scene.theme else "",
        "title": html.escape(drawing.scene.title),
        "style": style,
        "picture_style": picture,
        "svg": svgs[0],
        "opened": f'<template id="opened">{svgs[1]}</template>' if len(svgs) > 1 else "",
        "data": encoded(told),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _part("page.html")).encode()


def _told(drawing: Told) -> tuple[dict[str, Any], list[str]]:
    """The stories of the picture and, where it collapses what can be opened, of the opened one; and both as SVG."""
    pictures = [(drawing.scene, drawing.origin)]
    nodes = len(drawing.origin.graph)
    collapsed = any(home != f"n{id}" for id, home in enumerate(drawing.origin.homes))
    if collapsed and nodes <= LARGEST and len((opened := drawing.opened())[0].boxes) <= LARGEST:
        pictures.append(opened)
    frames = boxed_frames(*pictures[-1])
    # The page's own colours paint the figure.
    pictures = [(dataclasses.replace(scene, theme=""), origin) for scene, origin in pictures]
    stories = [Story(origin, scene, frames).data() for scene, origin in pictures]
    told = {**stories[0], "size": nodes, "largest": LARGEST, "opened": stories[1] if len(stories) > 1 else None}
    return told, [inline(find("svg")(scene).decode()) for scene, _ in pictures]


@functools.cache
def _part(name: str) -> str:
    return resources.files("tinygraph.render").joinpath("page", name).read_text("utf-8")


def policy(scripts: tuple[str, ...], styles: tuple[str, ...]) -> str:
    """A content security policy under which these inline blocks work and nothing else does.

    >>> policy(("",), ())[:67]
    "default-src 'none'; script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRk"
    """
    def hashes(blocks: tuple[str, ...]) -> str:
        digests = (base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() for block in blocks)
        return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return (f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; img-src data:; "
            "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'")


def encoded(data: object) -> str:
    r"""JSON that may stand inside a script element: no character in it begins a tag.

    >>> encoded({"name": "</script>"})
    '{"name":"\\u003c/script>"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace("\u2028", r"\u2028").replace("\u2029", r"\u2029")


def inline(svg: str) -> str:
    """An SVG file as a part of a page: without its prologue, its size, and its style, which the page has."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<style>.*?</style>\n?", "", svg, count=1, flags=re.S)
    return re.sub(r"<svg\b[^>]*>", lambda tag: re.sub(r'\s(?:width|height)="[^"]*"', "", tag[0]), svg, count=1)


def _colours() -> str:
    """The figure's colours as variables for the whole page: the reader's preference, unless the switch says otherwise.

    A page's own choice beats the preference by standing later.
    """
    light = _variables({**COLOURS, "paper": PAPER, "hot": HOT["light"]}, "light")
    dark = _variables({**DARK, "hot": HOT["dark"]}, "dark")
    return (f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"
            f":root[data-theme=light]{{{light}}}\n:root[data-theme=dark]{{{dark}}}\n")


def _variables(colours: dict[str, str], scheme: str) -> str:
    return f"color-scheme:{scheme};" + ";".join(f"--tg-{name}:{colour}" for name, colour in colours.items())


def _repaint() -> str:
    """Each colour that the figure is printed with, as the variable that stands for it."""
    return "".join(f'.tinygraph [{where}="{colour.lower()}"]{{{where}:var(--tg-{name})}}\n'
                   for name, colour in {**COLOURS, "paper": PAPER}.items() for where in ("fill", "stroke"))
