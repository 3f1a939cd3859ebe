"""A format of another package: how many wires a picture has."""

from __future__ import annotations

from tinygraph.render.formats import renderer


@renderer("count")
def count(scene):
    """The number, as text."""
    return str(len(scene.wires)).encode()
