"""The verbs that ask the graph of one step: lint, profile, derive, diff."""

from __future__ import annotations

import argparse
from typing import Any

from tinygraph.cli.common import add_json, add_step, add_verb, answer, count, prepare, say, seed, step_of


def add_lint(verbs: Any) -> None:
    """Add the verb that looks for mistakes."""
    verb = add_verb(verbs, "lint", _lint, "name what is likely a mistake",
                    "Read the graph of one real step and name what is likely a mistake, with a remedy. The exit code "
                    "is 1 where anything is found.",
                    "tinygraph lint models/two_layer_net.py",
                    "tinygraph lint models/two_layer_net.py --select TG1 --ignore TG105")
    verb.add_argument("--select", action="append", default=[], metavar="RULE",
                      help="ask these rules alone: an id or its beginning, such as TG1 (may be given again)")
    verb.add_argument("--ignore", action="append", default=[], metavar="RULE", help="leave these rules out (likewise)")
    add_step(verb)
    add_json(verb)


def add_profile(verbs: Any) -> None:
    """Add the verb that measures each node."""
    verb = add_verb(verbs, "profile", _profile, "measure time and memory node by node",
                    "Each node's time forward and backward, FLOPs and bytes kept for backward, and the curve of live "
                    "memory. -o writes a trace that Perfetto opens (.json) or a picture (.svg, .png, .pdf).",
                    "tinygraph profile models/two_layer_net.py",
                    "tinygraph profile models/two_layer_net.py --batch 10 -o step.json")
    verb.add_argument("--rounds", type=count, default=20, metavar="N", help="how many times all is timed (20)")
    verb.add_argument("-o", "--output", metavar="FILE", help="write a trace or a picture, by the ending")
    add_step(verb)
    add_json(verb)


def add_derive(verbs: Any) -> None:
    """Add the verb that derives the gradients."""
    verb = add_verb(verbs, "derive", _derive, "write out the derivation of the gradients",
                    "The derivation of every gradient as the lecture writes it: the chain rule, each node's formula, "
                    "the shapes. -o writes LaTeX (.tex), Markdown (.md), a page (.html) or text (.txt).",
                    "tinygraph derive models/two_layer_net.py",
                    "tinygraph derive models/two_layer_net.py --numbers --language ja -o derivation.html")
    verb.add_argument("--numbers", action="store_true", help="with the numbers of this step")
    verb.add_argument("--language", choices=("en", "ja"), default="en", help="English or Japanese (en)")
    verb.add_argument("-o", "--output", metavar="FILE", help="write it to this file, in the format of its ending")
    add_step(verb)
    add_json(verb)


def add_diff(verbs: Any) -> None:
    """Add the verb that compares two graphs."""
    verb = add_verb(verbs, "diff", _diff, "compare the graphs of two scripts",
                    "What was added, removed and changed from the graph of one step of SCRIPT to that of OTHER, on the "
                    "same samples; without OTHER, of SCRIPT again. The exit code is 1 where they differ.",
                    "tinygraph diff models/two_layer_net.py other.py",
                    "tinygraph diff models/two_layer_net.py --other-seed 1 -o diff.svg")
    verb.add_argument("other", metavar="OTHER", nargs="?", help="the other model script (SCRIPT)")
    verb.add_argument("--other-seed", type=seed, metavar="N", help="of the other's first weights (as --seed)")
    verb.add_argument("--other-dtype", choices=("float32", "float64"), help="of the other step (as --dtype)")
    verb.add_argument("--rtol", type=float, default=1e-5, help="how far values may be apart, relative (1e-5)")
    verb.add_argument("--atol", type=float, default=1e-8, help="how far values may be apart, absolute (1e-8)")
    verb.add_argument("-o", "--output", metavar="FILE", help="draw both graphs in one picture too")
    add_step(verb)
    add_json(verb)


class _All:
    """Several reports by name, as one."""

    def __init__(self, reports: dict[str, Any]) -> None:
        self.reports = reports

    def as_dict(self) -> dict[str, Any]:
        """Each report's own data."""
        return {name: report.as_dict() for name, report in self.reports.items()}


def _lint(args: argparse.Namespace) -> int:
    from tinygraph.ask.lint import lint

    _, model, loss = step_of(args)
    report = lint(loss, model, select=args.select, ignore=args.ignore)
    answer(report, args.json)
    return 1 if report else 0


def _profile(args: argparse.Namespace) -> int:
    from tinygraph.ask.profile import profile
    from tinygraph.training import loss_of

    script, data, model = prepare(args, args.dtype)
    x, t = data.x_train[:args.batch], data.t_train[:args.batch]
    with script.blamed():
        report = profile(lambda: loss_of(model, x, t), args.rounds)
    answer(report, args.json)
    _save(report, args.output)
    return 0


def _derive(args: argparse.Namespace) -> int:
    from tinygraph.ask.derive import derive

    # With the labels and samples named x and t the text would call them so; the lecture's capitals are for arrays.
    script, _, loss = step_of(args, named=False)
    with script.blamed():
        report = derive(loss, args.numbers, args.language)
    if args.output is None or args.json:
        answer(report, args.json)
    _save(report, args.output)
    return 0


def _diff(args: argparse.Namespace) -> int:
    from tinygraph.ask.diff import diff_graphs

    _, _, before = step_of(args)
    other = argparse.Namespace(**vars(args))
    other.script = args.other or args.script
    other.seed = args.seed if args.other_seed is None else args.other_seed
    other.dtype = args.other_dtype or args.dtype
    _, _, after = step_of(other)
    report = diff_graphs(before, after, rtol=args.rtol, atol=args.atol)
    answer(report, args.json)
    if args.output is not None:
        _save(report.draw(), args.output)
    return 1 if report else 0


def _save(thing: Any, path: str | None) -> None:
    """Write it where a path was given, and say so beside the answer."""
    if path is not None:
        thing.save(path)
        say(f"wrote {path}")
