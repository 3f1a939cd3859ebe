"""The command-line program: train, check, draw and bench a model script.

What a script must offer stands in docs/model-scripts.md. Each verb imports what it needs when it is called, so that
``tinygraph --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygraph.core.errors import TinygraphError
from tinygraph.core.messages import here

if TYPE_CHECKING:
    from tinygraph.ask.check import Row
    from tinygraph.data import Dataset
    from tinygraph.training import Script, Training

TOLERANCE = 1e-9
"""A weight passes the gradient check where its mean absolute difference is below this."""

STEPS = (1e-4, 1e-6)
"""The differences' steps: the lecture's, and one for weights that fail with it, since it may reach across a kink."""

DEFAULTS = {"iters": 10_000, "batch": 100, "lr": 0.1, "seed": 0, "dtype": "float64", "optimizer": "sgd", "out": "out"}
"""Of `train`, where neither the command line nor the checkpoint says anything; ``--data`` is `_load_data`'s matter."""

SAVED_AS = {"data": "data", "batch": "batch_size", "lr": "lr", "seed": "seed", "dtype": "dtype",
            "optimizer": "optimizer"}
"""What the options of `train` are called in a checkpoint."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program on these arguments, or the process's own, and give its exit code.

    0: done; 1: an error, told in one line on standard error, or a check that failed; 130: stopped by Ctrl-C. A mistake
    in the arguments themselves raises SystemExit with 2, as argparse does.

    >>> main(["train", "nowhere.py"])  # "tinygraph: there is no model script nowhere.py", on standard error
    1
    """
    args = _parser().parse_args(argv)
    try:
        code: int = args.verb(args)
    except (TinygraphError, OSError) as error:
        if args.traceback or os.environ.get("TINYGRAPH_TRACEBACK"):
            traceback.print_exc()
        else:
            _say(str(error).removesuffix(here()))  # the line that started this program is no line of the user's
        return 1
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    return code


# --- the arguments ----------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinygraph", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train, check, draw and measure a define-by-run model script.",
        epilog="examples:\n"
               "  tinygraph check models/two_layer_net.py\n"
               "  tinygraph train models/two_layer_net.py --out out\n"
               "  tinygraph draw models/two_layer_net.py -o graph.svg\n"
               "  tinygraph bench models/two_layer_net.py\n\n"
               "tinygraph VERB --help tells more of each.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for add in (_add_train, _add_check, _add_draw, _add_bench):
        add(verbs)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        import tinygraph
        print(f"tinygraph {tinygraph.__version__}")
        parser.exit()


def _add_train(verbs: Any) -> None:
    verb = _add_verb(verbs, "train", _train, "train the script's model",
                     "Train the model; write its curve (curve.csv, curve.png) and a checkpoint. Ctrl-C stops after the "
                     "step it is in and saves; --resume goes on to the very bits of a training that never stopped.",
                     "tinygraph train models/two_layer_net.py",
                     "tinygraph train models/two_layer_net.py --data digits --iters 2000 --lr 0.5 --out digits",
                     "tinygraph train models/two_layer_net.py --resume out/checkpoint.safetensors")
    verb.add_argument("--iters", type=_count, metavar="N", help="how many steps in all (10000)")
    verb.add_argument("--batch", type=_count, metavar="N", help="samples a step (100)")
    verb.add_argument("--lr", type=float, help="the learning rate (0.1)")
    verb.add_argument("--optimizer", metavar="NAME", help="what turns gradients into steps (sgd)")
    verb.add_argument("--seed", type=_seed, metavar="N", help="of the first weights and of the samples' order (0)")
    verb.add_argument("--dtype", choices=("float32", "float64"), help="of the weights and the samples (float64)")
    verb.add_argument("--out", metavar="DIR", help="the folder for the files (out; with --resume the checkpoint's)")
    verb.add_argument("--resume", metavar="CHECKPOINT",
                      help="go on from this file, whose settings hold where no option is given")


def _add_check(verbs: Any) -> None:
    verb = _add_verb(verbs, "check", _check, "hold backprop against central differences",
                     f"The lecture's gradient check: each weight's mean and largest absolute difference, and backprop "
                     f"beside central differences where that is. It fails unless every mean is below {TOLERANCE:g}.",
                     "tinygraph check models/two_layer_net.py",
                     "tinygraph check models/two_layer_net.py --data spiral --samples 10")
    verb.add_argument("--samples", type=_count, default=3, metavar="N", help="the first N training samples (3)")
    verb.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the first weights (0)")


def _add_draw(verbs: Any) -> None:
    verb = _add_verb(verbs, "draw", _draw, "draw the graph of one step",
                     "Draw the graph of one real step, forward and backward, with shapes, values and gradients.",
                     "tinygraph draw models/two_layer_net.py -o graph.svg",
                     "tinygraph draw models/two_layer_net.py --data spiral --batch 1 -o graph.dot")
    verb.add_argument("-o", "--output", default="graph.svg", metavar="FILE",
                      help="where to; the ending says the format: svg, png, pdf, dot (graph.svg)")
    verb.add_argument("--batch", type=_count, default=3, metavar="N", help="the first N training samples (3)")
    verb.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the first weights (0)")
    verb.add_argument("--show", action="store_true", help="open the file too")


def _add_bench(verbs: Any) -> None:
    verb = _add_verb(verbs, "bench", _bench, "time a training step",
                     "Time a step: forward, backward and update, each op, and the share of matrix multiplication. "
                     "For figures that repeat, set OPENBLAS_NUM_THREADS=1.",
                     "tinygraph bench models/two_layer_net.py",
                     "tinygraph bench models/two_layer_net.py --data digits --batch 10 --repeats 1000")
    verb.add_argument("--batch", type=_count, default=100, metavar="N", help="samples a step (100)")
    verb.add_argument("--repeats", type=_count, default=200, metavar="N", help="how many rounds (200)")
    verb.add_argument("--dtype", choices=("float32", "float64"), default="float64", help="of the step (float64)")
    verb.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the first weights (0)")


def _add_verb(verbs: Any, name: str, function: Any, summary: str, description: str,
              *examples: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(
        name, help=summary, description=description, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n  ".join(["examples:", *examples]))
    verb.set_defaults(verb=function)
    verb.add_argument("script", metavar="SCRIPT", help="the path of a model script")
    verb.add_argument("--data", choices=("mnist", "digits", "spiral"),
                      help="the data set (mnist where it can be had, or else digits)")
    verb.add_argument("--traceback", action="store_true",
                      help="show an error's traceback (so does the environment variable TINYGRAPH_TRACEBACK)")
    return verb


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"should be at least 1, and is {number}")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"should be at least 0, and is {number}")
    return number


# --- the verbs --------------------------------------------------------------------------------------------------------


def _train(args: argparse.Namespace) -> int:
    from tinygraph import optim
    from tinygraph.training import load_script, train
    from tinygraph.training.extra import extra
    from tinygraph.training.progress import Progress

    # Before the work, and not after it.
    extra("safetensors.numpy", "a checkpoint")
    extra("matplotlib.figure", "a picture of the curve")
    _fill_in(args)
    script = load_script(args.script)
    kind = optim.find(args.optimizer)
    data = _load_data(args.data, args.dtype)
    model = script.model(data.input_size, data.classes, seed=args.seed, dtype=args.dtype)
    print(f"training {args.script} on {data.name}: {len(data.x_train):,} samples, {len(data.x_test):,} to test on; "
          f"batch {args.batch}, lr {args.lr:g}, seed {args.seed}, {args.dtype}", flush=True)
    with script.blamed():
        training = train(model, data, kind(model.params, args.lr), iters=args.iters, batch_size=args.batch,
                         seed=args.seed, out=args.out, resume=args.resume, facts={"script": script.path.name},
                         report=Progress())
    return _tell_end(args, training)


def _fill_in(args: argparse.Namespace) -> None:
    """Give the options that were left out the checkpoint's values, or else the defaults."""
    known: dict[str, Any] = dict(DEFAULTS)
    if args.resume is not None:
        from tinygraph.training import load_checkpoint
        state = load_checkpoint(args.resume)
        known |= {option: state["settings"][name] for option, name in SAVED_AS.items() if name in state["settings"]}
        known |= {"iters": state["iters"], "out": str(Path(args.resume).parent)}
    for option, value in known.items():
        if getattr(args, option) is None:
            setattr(args, option, value)


def _tell_end(args: argparse.Namespace, training: Training) -> int:
    """Say how the training ended and where its files are; give the exit code."""
    from tinygraph.training.loop import CHECKPOINT, DIVERGED, PICTURE, TABLE

    files = [Path(args.out) / name for name in (CHECKPOINT, TABLE, PICTURE)]
    if training.stopped == "diverged":
        files[0] = Path(args.out) / DIVERGED
        _say(f"the loss became {training.curve.losses[-1]} at step {training.step:,}: try a smaller --lr than "
             f"{args.lr:g}; the weights that gave it are in {files[0]}")
    elif training.stopped == "interrupted":
        _say(f"stopped at step {training.step:,} of {args.iters:,}; go on with: "
             + shlex.join(["tinygraph", "train", args.script, "--resume", str(files[0])]))
    else:
        print(f"{training.step:,} steps: test accuracy {training.curve.points[-1].test:.4f}")
    for file in files:
        print(file)
    return {"": 0, "diverged": 1, "interrupted": 130}[training.stopped]


def _check(args: argparse.Namespace) -> int:
    from tinygraph.ask.check import gradient_check
    from tinygraph.training import loss_of

    script, data, model = _prepare(args)
    x, t = data.x_train[:args.samples], data.t_train[:args.samples]
    print(f"gradient check of {args.script}: {len(x)} samples of {data.name}, float64", flush=True)
    rows: list[Row] = []
    with script.blamed():
        for row in gradient_check(lambda: loss_of(model, x, t), model.params, STEPS[0]):
            if not row.mean < TOLERANCE:
                print(f"{row.name}: {row.mean:.2e} with the step {STEPS[0]:g}; again with {STEPS[1]:g}, in case that "
                      "reached across a kink")
                row, = gradient_check(lambda: loss_of(model, x, t), {row.name: model.params[row.name]}, STEPS[1])
            rows.append(row)
    width = max(6, *(len(row.name) for row in rows))
    print(f"{'weight':{width}}  {'shape':>12}  {'mean |diff|':>11}  {'largest':>8}  {'there: backprop':>18}"
          f"{'differences':>20}  at")
    for row in rows:
        shape = " x ".join(map(str, row.shape))
        place = f"[{', '.join(map(str, row.index))}]"
        print(f"{row.name:{width}}  {shape:>12}  {row.mean:11.2e}  {row.largest:8.1e}  {row.backprop:18.12f}"
              f"{row.numerical:20.12f}  {place}")
    failed = [row.name for row in rows if not row.mean < TOLERANCE]
    if failed:
        print(f"FAILED: the mean absolute difference of {', '.join(failed)} is not below {TOLERANCE:g}; "
              f"a kink, as relu has at 0, within {STEPS[1]:g} of a weight would do that too: try another --seed")
        return 1
    print(f"passed: every mean absolute difference is below {TOLERANCE:g}")
    return 0


def _draw(args: argparse.Namespace) -> int:
    from tinygraph.render.drawing import draw
    from tinygraph.tensors import tensor
    from tinygraph.training import loss_of

    script, data, model = _prepare(args)
    x, t = tensor(data.x_train[:args.batch], name="x"), tensor(data.t_train[:args.batch], name="t")
    with script.blamed():
        loss = loss_of(model, x, t)
        loss.backward()
    draw(loss).save(args.output)
    print(args.output)
    if args.show:
        import webbrowser
        webbrowser.open(Path(args.output).resolve().as_uri())
    return 0


def _bench(args: argparse.Namespace) -> int:
    from tinygraph.optim import SGD
    from tinygraph.training.timing import time_step

    script, data, model = _prepare(args, args.dtype)
    x, t = data.x_train[:args.batch], data.t_train[:args.batch]
    print(f"a step of {args.script}: {len(x)} samples of {data.name}, {args.dtype}, {args.repeats} rounds", flush=True)
    with script.blamed():
        print(time_step(model, x, t, SGD(model.params, lr=0.0), args.repeats))
    return 0


def _prepare(args: argparse.Namespace, dtype: str = "float64") -> tuple[Script, Dataset, Any]:
    """The script, the data, and the model for them."""
    from tinygraph.training import load_script

    script = load_script(args.script)
    data = _load_data(args.data, dtype)
    return script, data, script.model(data.input_size, data.classes, seed=args.seed, dtype=dtype)


def _load_data(name: str | None, dtype: str) -> Dataset:
    """The data set of this name; for None MNIST where it can be had, and else the digits, with a line that says so."""
    from tinygraph import data

    if name is None:
        name = "mnist"
        if data.find_mnist() is None:
            _say("MNIST cannot be had here (TINYGRAPH_DATA may name its folder), so this is with the digits that come "
                 "along")
            name = "digits"
    return data.load(name, dtype=dtype)


def _say(sentence: str) -> None:
    print(f"tinygraph: {sentence}", file=sys.stderr, flush=True)
