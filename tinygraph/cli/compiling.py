"""The verb compile."""

from __future__ import annotations

import argparse
from typing import Any

from tinygraph.cli.common import add_step, add_verb, default_lr, prepare


def add_compile(verbs: Any) -> None:
    """Add the verb that writes a training step as a NumPy program."""
    verb = add_verb(verbs, "compile", _compile, "write a training step as a NumPy program",
                    "Record one training step of the model (forward, backward, update), optimise it, and write it as a "
                    "Python file that needs NumPy alone: one function, step, whose arguments its docstring names.",
                    "tinygraph compile models/two_layer_net.py -o step.py",
                    "tinygraph compile models/two_layer_net.py --optimizer adam --dtype float32 -o step.py",
                    "tinygraph compile models/two_layer_net.py --report",
                    "python step.py")
    verb.add_argument("-o", "--output", default="step.py", metavar="FILE", help="where to; - prints it (step.py)")
    verb.add_argument("--optimizer", default="sgd", metavar="NAME", help="what turns gradients into steps (sgd)")
    verb.add_argument("--lr", type=float,
                      help="the learning rate that --report runs with (0.1 for sgd, and else the optimizer's own)")
    verb.add_argument("--report", action="store_true", help="print what each line takes: time, FLOPs, bytes")
    add_step(verb)


def _compile(args: argparse.Namespace) -> int:
    from tinygraph import optim
    from tinygraph.compiler.compiled import compile
    from tinygraph.training import loss_of

    script, data, model = prepare(args, args.dtype)
    kind = optim.find(args.optimizer)
    optimizer = kind(model.params, default_lr(kind) if args.lr is None else args.lr)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(model, x, t)
        loss.backward(retain_graph=False)
        optimizer.step()
        return loss
    step.__name__ = f"A training step of {script.path.name}"
    compiled = compile(step)
    with script.blamed():
        for _ in range(2):
            compiled(data.x_train[:args.batch], data.t_train[:args.batch])
    if args.output == "-":
        print(compiled.text(), end="")
    else:
        compiled.save(args.output)
        print(args.output)
    if args.report:
        print(compiled.report())
    return 0
