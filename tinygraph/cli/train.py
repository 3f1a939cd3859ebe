"""The verb train."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygraph.cli.common import add_verb, count, default_lr, load_data, say, seed

if TYPE_CHECKING:
    from tinygraph.training import Training

DEFAULTS = {"iters": 10_000, "batch": 100, "seed": 0, "dtype": "float64", "optimizer": "sgd", "out": "out",
            "compile": False}
"""Of `train`, where neither the command line nor the checkpoint says anything; ``--data`` is `load_data`'s matter, and
``--lr`` the optimiser's."""

SAVED_AS = {"data": "data", "batch": "batch_size", "lr": "lr", "seed": "seed", "dtype": "dtype",
            "optimizer": "optimizer", "compile": "compiled"}
"""What the options of `train` are called in a checkpoint."""


def add_train(verbs: Any) -> None:
    """Add the verb."""
    verb = add_verb(verbs, "train", _train, "train the script's model",
                    "Train the model; write its curve (curve.csv, curve.png) and a checkpoint. Ctrl-C stops after the "
                    "step it is in and saves; --resume goes on to the very bits of a training that never stopped.",
                    "tinygraph train models/two_layer_net.py",
                    "tinygraph train models/two_layer_net.py --data digits --iters 2000 --lr 0.5 --out digits",
                    "tinygraph train models/two_layer_net.py --compile --optimizer adam --lr 0.001",
                    "tinygraph train models/two_layer_net.py --resume out/checkpoint.safetensors")
    verb.add_argument("--iters", type=count, metavar="N", help="how many steps in all (10000)")
    verb.add_argument("--batch", type=count, metavar="N", help="samples a step (100)")
    verb.add_argument("--lr", type=float, help="the learning rate (0.1 for sgd, and else the optimizer's own)")
    verb.add_argument("--optimizer", metavar="NAME",
                      help="what turns gradients into steps: sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw "
                           "or another that is registered (sgd)")
    verb.add_argument("--compile", action=argparse.BooleanOptionalAction,
                      help="run the step as a NumPy program, which is quicker and differs in the last digits (no)")
    verb.add_argument("--seed", type=seed, metavar="N", help="of the first weights and of the samples' order (0)")
    verb.add_argument("--dtype", choices=("float32", "float64"), help="of the weights and the samples (float64)")
    verb.add_argument("--out", metavar="DIR", help="the folder for the files (out; with --resume the checkpoint's)")
    verb.add_argument("--resume", metavar="CHECKPOINT",
                      help="go on from this file, whose settings hold where no option is given")


def _train(args: argparse.Namespace) -> int:
    from tinygraph import optim, random
    from tinygraph.training import load_script, train
    from tinygraph.training.extra import extra
    from tinygraph.training.progress import Progress

    # Before the work, and not after it.
    extra("safetensors.numpy", "a checkpoint")
    extra("matplotlib.figure", "a picture of the curve")
    _fill_in(args)
    script = load_script(args.script)
    kind = optim.find(args.optimizer)
    if args.lr is None:
        args.lr = default_lr(kind)
    data = load_data(args.data, args.dtype)
    random.seed((args.seed, 2))  # what a step draws through tg.random, dropout say
    model = script.model(data.input_size, data.classes, seed=args.seed, dtype=args.dtype)
    print(f"training {args.script} on {data.name}: {len(data.x_train):,} samples, {len(data.x_test):,} to test on; "
          f"batch {args.batch}, lr {args.lr:g}, seed {args.seed}, {args.dtype}"
          + (", compiled" if args.compile else ""), flush=True)
    with script.blamed():
        training = train(model, data, kind(model.params, args.lr), iters=args.iters, batch_size=args.batch,
                         seed=args.seed, out=args.out, resume=args.resume, facts={"script": script.path.name},
                         report=Progress(), compiled=args.compile)
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
        say(f"the loss became {training.curve.losses[-1]} at step {training.step:,}: try a smaller --lr than "
            f"{args.lr:g}; the weights that gave it are in {files[0]}")
    elif training.stopped == "interrupted":
        say(f"stopped at step {training.step:,} of {args.iters:,}; go on with: "
            + shlex.join(["tinygraph", "train", args.script, "--resume", str(files[0])]))
    else:
        print(f"{training.step:,} steps: test accuracy {training.curve.points[-1].test:.4f}")
    for file in files:
        print(file)
    return {"": 0, "diverged": 1, "interrupted": 130}[training.stopped]
