"""What was measured, as versioned JSON, and from that alone as text, as a table in Markdown, and as a plot."""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import math
import os
import platform
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.harness import Result
from benchmarks.peers import COMPILED, EAGER

SCHEMA = "tinygraph-benchmarks/1"
"""Changes when a key changes its meaning or goes."""

SLOTS = 7
"""A panel has room for at least so many bars, so that two are not as thick as walls."""


def document(results: Sequence[Result]) -> dict[str, Any]:
    """Everything as plain data.

    Times are in seconds, memory in bytes; a spread is the interquartile range by the median; a goal's ratio is the
    side's cost by the cost of the best of those beside it.
    """
    return {"schema": SCHEMA, "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": machine(), "versions": versions(), "blas": blas(), "threads": peers.threads(),
            "notes": dict(peers.NOTES), "results": [_result(result) for result in results]}


def _result(result: Result) -> dict[str, Any]:
    case = result.case
    sides = [{"name": m.name, "median": m.median, "spread": m.spread, "least": min(m.rounds), "rounds": len(m.rounds),
              "cores": None if math.isnan(m.cores) else m.cores} for m in result.measured]
    goals = []
    for goal in case.goals:
        found = result.outcome(goal)
        limit = goal.at_most if goal.at_most is not None else 1 / (goal.at_least or 1.0)
        goals.append({"side": goal.side, "beside": list(goal.beside), "at_least": goal.at_least,
                      "at_most": goal.at_most, "best": found and found[0], "ratio": found and found[1],
                      "reached": None if found is None else found[1] <= limit})
    return {"work": case.work, "title": case.title, "kind": case.kind, "sides": sides, "goals": goals,
            "refused": result.refused, "missing": result.missing}


def machine() -> dict[str, Any]:
    """The processor, its cores, the system."""
    return {"processor": _processor(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version()}


def _processor() -> str:
    """As the system calls it: on Linux platform.processor() says nothing."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
                platform.processor() or platform.machine())


def versions() -> dict[str, str]:
    """Of tinygraph, NumPy and those peers that are installed."""
    found = {}
    for name in ("tinygraph", "numpy", *peers.PACKAGES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def blas() -> str:
    """Which BLAS NumPy runs, with its kernels where threadpoolctl can be asked; they may not be its own choice."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload, index]
    text = f"{built['name']} {built['version']}"
    if importlib.util.find_spec("threadpoolctl"):
        import threadpoolctl
        kernels = {pool["architecture"] for pool in threadpoolctl.threadpool_info() if "architecture" in pool
                   and "numpy" in pool["filepath"]}
        asked = ", asked for by OPENBLAS_CORETYPE" if os.environ.get("OPENBLAS_CORETYPE") else ""
        text += f" ({', '.join(sorted(kernels))} kernels{asked})" if kernels else ""
    return text


def heading(data: dict[str, Any]) -> str:
    """One line about where the numbers come from."""
    where, known = data["machine"], data["versions"]
    libraries = ", ".join(f"{name} {version}" for name, version in known.items() if name != "tinygraph")
    return (f"{where['processor']}, {where['cores']} cores, {where['system']}, Python {where['python']}, {libraries}, "
            f"{data['blas']}, {data['threads']} thread{'s' * (data['threads'] > 1)} a side, {data['when'][:10]}")


def amount(value: float, kind: str) -> str:
    """A time or an amount of memory as a person reads it.

    >>> amount(2.5e-6, "time"), amount(3_200_000, "memory")
    ('2.5 µs', '3.2 MB')
    """
    units = (((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")) if kind != "memory" else
             ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")))
    size, unit = next((pair for pair in units if value >= pair[0]), units[-1])
    return f"{value / size:.3g} {unit}" if value < 999.5 * size else f"{value / size:,.0f} {unit}"


def ratios(result: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """What the other columns say: each side's cost by that of tinygraph, and by that of its compiled step."""
    medians = {side["name"]: side["median"] for side in result["sides"]}
    return [(base, {name: median / medians[base] for name, median in medians.items()})
            for base in (EAGER, COMPILED) if base in medians]


def goal_words(goal: dict[str, Any]) -> tuple[str, str, str]:
    """A goal, what was found, and whether that reaches it."""
    wish = (f"at least {goal['at_least']:g} times as fast as" if goal["at_least"] is not None
            else f"at most {goal['at_most']:g} of")
    several = len(goal["beside"]) > 1
    others = goal["beside"][0] if not several else f"the best of {', '.join(goal['beside'])}"
    if len(goal["beside"]) > 4:
        others = "the best of all"
    if goal["ratio"] is None:
        return f"{goal['side']}: {wish} {others}", "not measured", ""
    found = f"{1 / goal['ratio']:.2f} times" if goal["at_least"] is not None else f"{goal['ratio']:.2f}"
    return (f"{goal['side']}: {wish} {others}", f"{found} ({goal['best']})" if several else found,
            "reached" if goal["reached"] else "not reached")


def goal_line(goal: dict[str, Any]) -> str:
    """A goal, and whether it was reached, in one line."""
    wish, found, whether = goal_words(goal)
    return f"{wish}: {found}, {whether}" if whether else f"{wish}: {found}"


def text(result: dict[str, Any]) -> str:
    """A result for the terminal."""
    columns = ratios(result)
    wide = max((len(side["name"]) for side in result["sides"]), default=0) + 2
    lines = [result["title"], f"{'':{wide}}{'median':>10}{'spread':>8}" + "".join(f"{'/ ' + base:>22}"
                                                                                  for base, _ in columns)]
    lines += [f"{side['name']:{wide}}{amount(side['median'], result['kind']):>10}{side['spread']:8.0%}"
              + "".join(f"{column[side['name']]:22.2f}" for _, column in columns) for side in result["sides"]]
    lines += [f"  {side['name']} used {side['cores']:.1f} cores" for side in result["sides"]
              if side["cores"] is not None and side["cores"] > peers.threads() + 0.2]
    lines += [f"  {goal_line(goal)}" for goal in result["goals"]]
    lines += [f"  refused: {name} {why}" for name, why in result["refused"].items()]
    lines += [f"  left out: {name} {why}" for name, why in result["missing"].items()]
    return "\n".join(lines)


def markdown(data: dict[str, Any]) -> str:
    """The goals of all results as one table, then a table a result."""
    lines = [f"{heading(data)}.", ""]
    lines += [f"{name}: {note}.\n" for name, note in data["notes"].items()]
    lines += ["| work | goal | measured | |", "|---|---|---|---|"]
    lines += [f"| {result['title']} | {' | '.join(goal_words(goal))} |"
              for result in data["results"] for goal in result["goals"]]
    lines.append("")
    for result in data["results"]:
        columns = ratios(result)
        names = [f"/ {base}" for base, _ in columns]
        lines += [f"### {result['title']}", "", f"| {' | '.join(['', 'median', 'spread', *names])} |",
                  f"|---|{'---:|' * (2 + len(names))}"]
        for side in result["sides"]:
            cells = [side["name"], amount(side["median"], result["kind"]), f"{side['spread']:.0%}",
                     *(f"{column[side['name']]:.2f}" for _, column in columns)]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
        said = [f"refused: {name} {why}" for name, why in result["refused"].items()]
        said += [f"left out: {name} {why}" for name, why in result["missing"].items()]
        lines += [*(f"- {line}" for line in said), *[""] * bool(said)]
    return "\n".join(lines).rstrip() + "\n"


def plot(data: dict[str, Any], path: Path) -> None:
    """A bar a side, one panel a result; a black bar is tinygraph's. Raises ImportError without matplotlib."""
    from matplotlib.figure import Figure

    results = [result for result in data["results"] if result["sides"]]
    across = min(3, len(results))
    down = -(-len(results) // across)
    figure = Figure(figsize=(5 * across, 3.2 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes in panels[len(results):]:
        axes.remove()
    for axes, result in zip(panels, results, strict=False):
        _bars(axes, result)
    figure.savefig(path, dpi=72)


def _bars(axes: Any, result: dict[str, Any]) -> None:
    sides = sorted(result["sides"], key=lambda side: side["median"])
    least = sides[0]["median"]
    places = range(len(sides))
    colours = ["#1A1A1A" if side["name"] in (EAGER, COMPILED) else "#0072B2" for side in sides]
    logarithmic = sides[-1]["median"] > 30 * least
    axes.barh(places, [side["median"] for side in sides], color=colours)
    for place, side in zip(places, sides, strict=True):
        axes.annotate(amount(side["median"], result["kind"]), (side["median"], place), textcoords="offset points",
                      xytext=(3, 0), va="center", fontsize=8)
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(least / 2, 4 * sides[-1]["median"])
    else:
        axes.set_xlim(0, 1.25 * sides[-1]["median"])
    axes.set_yticks(places, [side["name"] for side in sides], fontsize=8)
    axes.set_ylim(max(len(sides), SLOTS) - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_xticks([], minor=True)
    title = f"{result['title']}{' (log scale)' if logarithmic else ''}"
    axes.set_title(textwrap.fill(title, 42), loc="left", fontsize=9)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def merged(documents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Several runs on one machine with the same libraries as one; of a case measured twice the later counts."""
    documents = list(documents)
    results = {result["title"]: result for data in documents for result in data["results"]}
    notes = {name: note for data in documents for name, note in data["notes"].items()}
    return {**documents[-1], "notes": notes, "results": list(results.values())}
