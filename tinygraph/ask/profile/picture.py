"""A profile as a picture: the time of the costliest ops above, the curve of live memory below."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from tinygraph.ask.profile.costs import OpTotal
from tinygraph.ask.profile.memory import Moment
from tinygraph.core.errors import MissingDependencyError

BARS = 12
"""So many ops have a bar of their own."""

FORWARD, BACKWARD, PEAK = "#1A1A1A", "#0072B2", "#D55E00"


def picture(ops: Sequence[OpTotal], memory: Sequence[Moment], what: Callable[[Moment], str], format: str) -> bytes:
    """Draw it; ``what`` says in words what ran at a moment. Raises MissingDependencyError without matplotlib."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError("a picture of a profile needs matplotlib: pip install 'tinygraph[train]'"
                                     ) from error
    with rc_context({"svg.hashsalt": "tinygraph"}):
        figure = Figure(figsize=(8, 6.4), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=(1, 1.2))
        _bars(above, ops[:BARS])
        _curve(below, memory, what)
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_axisbelow(True)
        file = io.BytesIO()
        figure.savefig(file, format=format, dpi=150, metadata={"Date": None} if format == "svg" else None)
    return file.getvalue()


def _bars(axes: Any, shown: Sequence[OpTotal]) -> None:
    names = [" ".join(f"{total.op} × {total.calls:,}".split()) for total in shown]
    places = range(len(shown))
    axes.barh(places, [total.forward * 1e6 for total in shown], color=FORWARD, label="forward")
    axes.barh(places, [total.backward * 1e6 for total in shown], left=[total.forward * 1e6 for total in shown],
              color=BACKWARD, label="backward")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlabel("µs (median)")
    axes.set_title("time by op", loc="left", fontsize=11)
    axes.grid(axis="x", color="0.9")
    axes.legend(frameon=False)


def _curve(axes: Any, memory: Sequence[Moment], what: Callable[[Moment], str]) -> None:
    start, most = memory[0].bytes, max(memory, key=lambda moment: moment.peak)
    scale, unit = _scale(most.peak - start)
    for phase, colour in (("forward", FORWARD), ("backward", BACKWARD)):
        places = [i for i, moment in enumerate(memory) if moment.phase in (phase, "start")]
        if phase == "backward" and places:
            places = [i - 1 for i in places[1:2]] + places[1:]
        heights = [(memory[i].bytes - start) / scale for i in places]
        axes.step(places, heights, where="post", color=colour, label=phase)
        axes.fill_between(places, heights, step="post", color=colour, alpha=0.12, linewidth=0)
    top, height = memory.index(most), (most.peak - start) / scale
    axes.plot([top], [height], "o", color=PEAK)
    axes.annotate(f"{height:.3g} {unit} at {what(most)}", (top, height), textcoords="offset points", xytext=(-8, 6),
                  ha="right", va="bottom", fontsize=9, color=PEAK)
    axes.set_ylim(0, 1.2 * height or 1)
    axes.set_xlabel("ops run: forward, then backward")
    axes.set_ylabel(f"live memory ({unit})")
    given, its_unit = _scale(start)
    axes.set_title(f"live memory beside the {start / given:.3g} {its_unit} of leaves and data, computed from the graph",
                   loc="left", fontsize=11)
    axes.grid(color="0.9")
    axes.legend(frameon=False, loc="upper left")


def _scale(size: int) -> tuple[float, str]:
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= scale:
            return scale, unit
    return 1.0, "bytes"
