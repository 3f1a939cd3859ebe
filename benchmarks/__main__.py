"""Measure tinygraph beside its peers: see ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

import benchmarks
import benchmarks.work

ON_REQUEST = frozenset({"training"})
"""Workloads that take minutes."""


def main(argv: list[str] | None = None) -> int:
    """Run the program; 1 where a side of tinygraph's own was refused."""
    known = [module.name for module in pkgutil.iter_modules(benchmarks.work.__path__)]
    args = _parser(known).parse_args(argv)
    if unknown := [name for name in args.names if name not in known]:
        sys.exit(f"there is no workload {unknown[0]!r}; there are {', '.join(known)}")
    benchmarks.limit(args.threads)  # before NumPy is imported, and so before what follows

    from benchmarks import report
    from benchmarks.harness import run
    from benchmarks.peers import COMPILED, EAGER

    chosen = args.names or [name for name in known if name not in ON_REQUEST]
    results = []
    data: dict[str, Any] = report.document([])
    print(report.heading(data), flush=True)
    for name in chosen:
        for case in importlib.import_module(f"benchmarks.work.{name}").cases():
            if args.only in case.title:
                results.append(run(case, args.seconds))
                data = report.document(results)
                print(f"\n{report.text(data['results'][-1])}", flush=True)
    for peer, note in data["notes"].items():
        print(f"\n{peer}: {note}")
    if args.out is not None:
        _save(data, args.out)
    return int(any(name in result.refused for result in results for name in (EAGER, COMPILED)))


def _parser(known: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure tinygraph beside the peers that are installed, interleaved "
        "round by round in one process, after checking that all compute the same. Each row shows the median, the "
        "interquartile range by it, and the ratio to tinygraph's own medians.",
        epilog=f"workloads: {', '.join(known)}; each is a file in benchmarks/work")
    parser.add_argument("names", nargs="*", metavar="WORK",
                        help=f"which workloads (all but {', '.join(sorted(ON_REQUEST))}, which takes minutes)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases whose title has this text in it")
    parser.add_argument("--seconds", type=float, default=8.0, metavar="S", help="how long to measure a case (8)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads a side (1)")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="write FILE.json, FILE.md and FILE.png; results of a FILE.json that is there are kept")
    return parser


def _save(data: dict[str, Any], out: Path) -> None:
    from benchmarks import report

    path = out.with_suffix(".json")
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["schema"] == report.SCHEMA:
            data = report.merged([before, data])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(report.markdown(data), encoding="utf-8")
    print(f"\n{path}\n{path.with_suffix('.md')}")
    try:
        report.plot(data, path.with_suffix(".png"))
        print(path.with_suffix(".png"))
    except ImportError:
        print("no plot: it needs matplotlib (pip install 'tinygraph[train]')")


if __name__ == "__main__":
    sys.exit(main())
