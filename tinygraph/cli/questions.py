"""The verbs that ask the graph of one step: lint, explain, shadow, profile, derive, diff."""

from __future__ import annotations

import argparse
from typing import Any

from tinygraph.cli.common import add_json, add_picture, add_step, add_verb, answer, count, prepare, save, seed, step_of
from tinygraph.core.errors import ArgumentError


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
    add_picture(verb)
    add_json(verb)


def add_explain(verbs: Any) -> None:
    """Add the verb that tells where a gradient came from."""
    verb = add_verb(verbs, "explain", _explain, "say where each gradient came from",
                    "Where each weight's gradient came from in one real step: the share of each use, the largest ways "
                    "to the loss, and the op that made it zero or NaN. The exit code is 1 where one is zero, not "
                    "finite or missing.",
                    "tinygraph explain models/two_layer_net.py",
                    "tinygraph explain models/two_layer_net.py --of W1 --draw W1.svg")
    verb.add_argument("--of", action="append", default=[], metavar="NAME",
                      help="explain the gradient of this alone: a weight, or a tensor that the script named (may be "
                           "given again)")
    verb.add_argument("--ways", type=count, default=5, metavar="N", help="how many ways to tell one by one (5)")
    add_step(verb)
    add_picture(verb)
    add_json(verb)


def add_shadow(verbs: Any) -> None:
    """Add the verb that looks for lost digits."""
    verb = add_verb(verbs, "shadow", _shadow, "say where digits are lost, and what overflows",
                    "Replay one real step in higher precision beside itself, and rank its ops by the digits they lost. "
                    "The exit code is 1 where something overflows.",
                    "tinygraph shadow models/two_layer_net.py --dtype float32",
                    "tinygraph shadow models/two_layer_net.py --draw shadow.svg")
    verb.add_argument("--beside", choices=("float64", "longdouble"),
                      help="the shadow's precision (float64 beside float32, else longdouble)")
    add_step(verb)
    add_picture(verb)
    add_json(verb)


def add_profile(verbs: Any) -> None:
    """Add the verb that measures each node."""
    verb = add_verb(verbs, "profile", _profile, "measure time and memory node by node",
                    "Each node's time forward and backward, FLOPs and bytes kept for backward, and the curve of live "
                    "memory. -o writes a trace that Perfetto opens (.json) or a picture (.svg, .png, .pdf).",
                    "tinygraph profile models/two_layer_net.py",
                    "tinygraph profile models/two_layer_net.py --batch 10 -o step.json")
    verb.add_argument("--rounds", type=count, default=20, metavar="N", help="how many times all is timed (20)")
    verb.add_argument("-o", "--output", metavar="FILE", help="write a trace or a picture of the costs, by the ending")
    add_step(verb)
    add_picture(verb)
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
    add_picture(verb)
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
    add_step(verb)
    add_picture(verb, "-o", "--output")
    add_json(verb)


def _explain(args: argparse.Namespace) -> int:
    import numpy as np

    from tinygraph.ask.explain import explain

    script, model, loss = step_of(args)
    with script.blamed():
        loss.backward()
    reports = _Several({name: explain(t, loss, ways=args.ways) for name, t in _asked_about(args, model, loss).items()})
    if args.draw is not None and len(reports.reports) > 1:
        raise ArgumentError(f"explain: one picture shows one gradient; choose it with --of, from "
                            f"{', '.join(reports.reports)}")
    answer(reports, args.json, args.draw)
    return 0 if all(report.gradient is not None and np.any(report.gradient) and report.origin is None
                    for report in reports.reports.values()) else 1


def _asked_about(args: argparse.Namespace, model: Any, loss: Any) -> dict[str, Any]:
    """The tensors by name: those of ``--of``, weights or anything that the script named; or else all weights."""
    from tinygraph.analysis import graph
    from tinygraph.core.node import wrap

    weights = dict(model.params)
    for name, weight in weights.items():
        weight.name = name  # its path: each layer of a network calls its own W
    known = {node.name: wrap(type(loss), node) for one in graph(loss) for node in one.outputs if node.name} | weights
    for name in args.of:
        if name not in known:
            raise ArgumentError(f"explain: nothing in the graph is called {name!r}; there are {', '.join(known)}")
    return {name: known[name] for name in args.of} if args.of else weights


class _Several:
    """Several reports by name, as one."""

    def __init__(self, reports: dict[str, Any]) -> None:
        self.reports = reports

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.reports.values()))

    def as_dict(self) -> dict[str, Any]:
        """Each report's own data."""
        return {name: report.as_dict() for name, report in self.reports.items()}

    def draw(self) -> Any:
        """The picture of the only one."""
        (report,) = self.reports.values()
        return report.draw()


def _shadow(args: argparse.Namespace) -> int:
    from tinygraph.ask.shadow import shadow

    _, _, loss = step_of(args)
    report = shadow(loss, args.beside or ("float64" if args.dtype == "float32" else "longdouble"))
    answer(report, args.json, args.draw)
    return 0 if report.overflow is None else 1


def _lint(args: argparse.Namespace) -> int:
    from tinygraph.ask.lint import lint

    _, model, loss = step_of(args)
    report = lint(loss, model, select=args.select, ignore=args.ignore)
    answer(report, args.json, args.draw)
    return 1 if report else 0


def _profile(args: argparse.Namespace) -> int:
    from tinygraph.ask.profile import profile
    from tinygraph.training import loss_of

    script, data, model = prepare(args, args.dtype)
    # Copies, as a training takes them: of a view all the data set's memory would count.
    x, t = data.x_train[:args.batch].copy(), data.t_train[:args.batch].copy()
    with script.blamed():
        report = profile(lambda: loss_of(model, x, t), args.rounds)
    answer(report, args.json, args.draw)
    save(report, args.output)
    return 0


def _derive(args: argparse.Namespace) -> int:
    from tinygraph.ask.derive import derive

    # With the labels and samples named x and t the text would call them so; the lecture's capitals are for arrays.
    script, _, loss = step_of(args, named=False)
    with script.blamed():
        report = derive(loss, args.numbers, args.language)
    if args.output is None or args.json:
        answer(report, args.json, args.draw)
    elif args.draw is not None:
        save(report.draw(), args.draw)
    save(report, args.output)
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
    answer(report, args.json, args.draw)
    return 1 if report else 0

