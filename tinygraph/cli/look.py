"""The verbs that look at a step: check, draw, bench."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygraph.cli.common import add_json, add_picture, add_step, add_verb, answer, count, prepare, say, seed, step_of
from tinygraph.core.errors import ArgumentError

if TYPE_CHECKING:
    from tinygraph.ask.check import Row

TOLERANCE = 1e-9
"""A weight passes the gradient check where its mean absolute difference is below this."""

SHOW = ("symbols", "shapes", "values", "all")
MEASURES = ("flops", "bytes", "time", "grad_norm", "nan")
"""What a picture can show and be coloured by; spelt out here, so that help needs no renderer. A test compares them."""

STEPS = (1e-4, 1e-6)
"""The differences' steps: the lecture's, and one for weights that fail with it, since it may reach across a kink."""


def add_check(verbs: Any) -> None:
    """Add the verb that checks gradients."""
    verb = add_verb(verbs, "check", _check, "hold backprop against central differences",
                    f"The lecture's gradient check: each weight's mean and largest absolute difference, and backprop "
                    f"beside central differences where that is. It fails unless every mean is below {TOLERANCE:g}. "
                    "With --graph each node's rule is checked where it stands instead, and the wrong one named.",
                    "tinygraph check models/two_layer_net.py",
                    "tinygraph check models/two_layer_net.py --data spiral --samples 10",
                    "tinygraph check models/two_layer_net.py --graph")
    verb.add_argument("--samples", type=count, default=3, metavar="N", help="the first N training samples (3)")
    verb.add_argument("--seed", type=seed, default=0, metavar="N", help="of the first weights (0)")
    verb.add_argument("--graph", action="store_true",
                      help="check every node's rule, not the weights alone; --draw asks for it too")
    add_picture(verb)
    add_json(verb)


def add_draw(verbs: Any) -> None:
    """Add the verb that draws."""
    verb = add_verb(verbs, "draw", _draw, "draw the graph of one step",
                    "Draw the graph of one real step, forward and backward, with shapes, values and gradients; as\n"
                    "html a page to step through.",
                    "tinygraph draw models/two_layer_net.py -o graph.svg",
                    "tinygraph draw models/two_layer_net.py -o graph.html --open",
                    "tinygraph draw models/two_layer_net.py --color-by flops --show shapes -o flops.png",
                    "tinygraph draw models/two_layer_net.py --depth 1 -o layers.svg",
                    "tinygraph draw models/two_layer_net.py --data spiral --batch 1 -o graph.dot")
    verb.add_argument("-o", "--output", default="graph.svg", metavar="FILE",
                      help="where to; the ending says the format: svg, png, pdf, html, dot, mmd, json or graphml "
                           "(graph.svg)")
    add_step(verb, batch=3)
    verb.add_argument("--show", choices=SHOW, help="what is written beside the arrows (as much as the size allows)")
    verb.add_argument("--forward-only", action="store_true", help="leave the backward pass out")
    verb.add_argument("--depth", type=seed, metavar="N", help="how many levels of scopes are drawn open")
    verb.add_argument("--collapse", action="append", metavar="PATTERN",
                      help="draw scopes whose path matches, such as 'encoder/*' or '*', as one box each (repeatable)")
    verb.add_argument("--no-collapse", action="store_true", help="draw each node, however many there are")
    verb.add_argument("--fold-repeats", action="store_true", help="draw the first of equal stretches, and their number")
    verb.add_argument("--color-by", choices=MEASURES, help="what the boxes' colours tell, with a legend")
    verb.add_argument("--theme", choices=("light", "dark"), help="one for all readers (svg, html: what each prefers)")
    verb.add_argument("--open", action="store_true", help="open the file too")


def add_bench(verbs: Any) -> None:
    """Add the verb that times a step, or tinygraph beside its peers."""
    verb = add_verb(verbs, "bench", _bench, "time a training step, or tinygraph beside its peers",
                    "Time a step: forward, backward and update, and each op with its FLOP/s beside the machine's peak, "
                    "its bandwidth, and a bar for its share. For figures that repeat, set OPENBLAS_NUM_THREADS=1. "
                    "With --peers the benchmarks of a checkout run instead, beside each peer that is installed.",
                    "tinygraph bench models/two_layer_net.py",
                    "tinygraph bench models/two_layer_net.py --dtype float32 --compile",
                    "tinygraph bench --peers lecture_step op_chain", needs_script=False)
    verb.add_argument("--batch", type=count, default=100, metavar="N", help="samples a step (100)")
    verb.add_argument("--repeats", type=count, default=200, metavar="N", help="how many rounds (200)")
    verb.add_argument("--dtype", choices=("float32", "float64"), default="float64", help="of the step (float64)")
    verb.add_argument("--seed", type=seed, default=0, metavar="N", help="of the first weights (0)")
    verb.add_argument("--compile", action="store_true", help="time the compiled step too, and list its program's lines")
    verb.add_argument("--peers", nargs="*", metavar="WORK",
                      help="run these workloads of the folder benchmarks, or all but those that take minutes")
    add_json(verb)


def _check(args: argparse.Namespace) -> int:
    from tinygraph.ask.check import gradient_check
    from tinygraph.training import loss_of

    if args.graph or args.draw:
        return _check_graph(args)
    script, data, model = prepare(args)
    x, t = data.x_train[:args.samples], data.t_train[:args.samples]
    tell = say if args.json else _print
    tell(f"gradient check of {args.script}: {len(x)} samples of {data.name}, float64")
    rows: list[Row] = []
    with script.blamed():
        for row in gradient_check(lambda: loss_of(model, x, t), model.params, STEPS[0]):
            if not row.mean < TOLERANCE:
                tell(f"{row.name}: {row.mean:.2e} with the step {STEPS[0]:g}; again with {STEPS[1]:g}, in case that "
                     "reached across a kink")
                row, = gradient_check(lambda: loss_of(model, x, t), {row.name: model.params[row.name]}, STEPS[1])
            rows.append(row)
    failed = [row.name for row in rows if not row.mean < TOLERANCE]
    if args.json:
        answer(_Rows(rows, not failed), True)
        return 1 if failed else 0
    _print_rows(rows)
    if failed:
        print(f"FAILED: the mean absolute difference of {', '.join(failed)} is not below {TOLERANCE:g}; "
              f"a kink, as relu has at 0, within {STEPS[1]:g} of a weight would do that too: try another --seed")
        return 1
    print(f"passed: every mean absolute difference is below {TOLERANCE:g}")
    return 0


class _Rows:
    """The table of the lecture's gradient check, as data."""

    def __init__(self, rows: list[Row], passed: bool) -> None:
        self.rows, self.passed = rows, passed

    def as_dict(self) -> dict[str, Any]:
        """Each weight's row, and whether all of them passed."""
        from dataclasses import asdict
        rows = [{**asdict(row), "shape": list(row.shape), "index": list(row.index)} for row in self.rows]
        return {"passed": self.passed, "tolerance": TOLERANCE, "weights": rows}


def _print(sentence: str) -> None:
    print(sentence, flush=True)


def _print_rows(rows: list[Row]) -> None:
    width = max(6, *(len(row.name) for row in rows))
    print(f"{'weight':{width}}  {'shape':>12}  {'mean |diff|':>11}  {'largest':>8}  {'there: backprop':>18}"
          f"{'differences':>20}  at")
    for row in rows:
        shape = " x ".join(map(str, row.shape))
        place = f"[{', '.join(map(str, row.index))}]"
        print(f"{row.name:{width}}  {shape:>12}  {row.mean:11.2e}  {row.largest:8.1e}  {row.backprop:18.12f}"
              f"{row.numerical:20.12f}  {place}")


def _check_graph(args: argparse.Namespace) -> int:
    from tinygraph.ask.check import check_graph
    from tinygraph.tensors import tensor
    from tinygraph.training import loss_of

    script, data, model = prepare(args)
    x, t = tensor(data.x_train[:args.samples], name="x"), tensor(data.t_train[:args.samples], name="t")
    with script.blamed():
        report = check_graph(loss_of(model, x, t))
    answer(report, args.json, args.draw)
    return 0 if report.ok else 1


def _draw(args: argparse.Namespace) -> int:
    from tinygraph.render.drawing import draw

    script, _, loss = step_of(args)
    with script.blamed():
        loss.backward()
    missed = dict.fromkeys(args.collapse or ())
    drawing = draw(loss, show=args.show, backward=False if args.forward_only else None, depth=args.depth,
                   collapse=_collapse(args, missed), fold_repeats=args.fold_repeats, color_by=args.color_by,
                   theme=args.theme)
    drawing.save(args.output)
    if missed:
        say(f"no scope's path matches --collapse {' or '.join(missed)}")
    if drawing.scene.note:
        say(drawing.scene.note)
    print(args.output)
    if args.open:
        import webbrowser
        webbrowser.open(Path(args.output).resolve().as_uri())
    return 0


def _collapse(args: argparse.Namespace, missed: dict[str, None]) -> Callable[[str], bool] | bool | None:
    """What the options say of a scope's path: whether it is drawn as one box; ``missed`` keeps what fits no path."""
    if args.no_collapse:
        missed.clear()
        return False
    patterns = tuple(missed)

    def closes(path: str) -> bool:
        fitting = [pattern for pattern in patterns if fnmatchcase(path, pattern)]
        for pattern in fitting:
            missed.pop(pattern, None)
        return bool(fitting)
    return closes if patterns else None


def _bench(args: argparse.Namespace) -> int:
    if args.peers is not None:
        return _bench_peers(args.peers)
    if args.script is None:
        raise ArgumentError("bench needs a SCRIPT whose step it should time, or --peers")

    from tinygraph.compiler.compiled import compile
    from tinygraph.optim import SGD
    from tinygraph.training.timing import time_step

    script, data, model = prepare(args, args.dtype)
    x, t = data.x_train[:args.batch], data.t_train[:args.batch]
    optimizer = SGD(model.params, lr=0.0)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = model.loss(x, t)
        loss.backward(retain_graph=False)
        optimizer.step()
        return loss
    compiled = compile(step) if args.compile else None
    tell = say if args.json else _print
    tell(f"a step of {args.script}: {len(x)} samples of {data.name}, {args.dtype}, {args.repeats} rounds")
    with script.blamed():
        answer(time_step(model, x, t, optimizer, args.repeats, compiled), args.json)
    if compiled is not None and not args.json:
        print(f"\n{compiled.report(args.repeats)}")
    return 0


def _bench_peers(names: list[str]) -> int:
    """Run the benchmarks of the checkout that this folder, or the package, lies in."""
    import subprocess
    import sys

    import tinygraph
    places = (Path.cwd(), Path(tinygraph.__file__).resolve().parents[1])
    root = next((place for place in places if (place / "benchmarks" / "__main__.py").is_file()), None)
    if root is None:
        raise ArgumentError("bench --peers runs the folder benchmarks of a checkout, which the installed package does "
                            "not hold: clone tinygraph and run it there")
    return subprocess.run([sys.executable, "-m", "benchmarks", *names], cwd=root, check=False).returncode
