"""The command-line program: train, check, draw, measure and compile a model script, and ask its graph questions.

What a script must offer stands in docs/model-scripts.md. Each verb imports what it needs when it is called, so that
``tinygraph --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from tinygraph.cli.common import say, warnings_told
from tinygraph.cli.compiling import add_compile
from tinygraph.cli.look import add_bench, add_check, add_draw
from tinygraph.cli.questions import add_derive, add_diff, add_explain, add_lint, add_profile, add_shadow
from tinygraph.cli.train import add_train
from tinygraph.core.errors import TinygraphError
from tinygraph.core.messages import here


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program on these arguments, or the process's own, and give its exit code.

    0: done; 1: an error, told in one line on standard error, a check that failed, something that a question found;
    130: stopped by Ctrl-C; 141: whoever read the answer (head, say) had enough of it, as a shell has it of a program
    that SIGPIPE ends. A mistake in the arguments themselves raises SystemExit with 2, as argparse does.

    >>> main(["train", "nowhere.py"])  # "tinygraph: there is no model script nowhere.py", on standard error
    1
    """
    args = _parser().parse_args(argv)
    try:
        with warnings_told():
            code: int = args.verb(args)
        print(end="", flush=True)  # what a pipe refuses, it refuses here
    except BrokenPipeError:
        # What is still to be flushed when Python ends goes nowhere, and so raises nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (TinygraphError, OSError) as error:
        if args.traceback or os.environ.get("TINYGRAPH_TRACEBACK"):
            traceback.print_exc()
        else:
            say(_sentence(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return code


def _sentence(error: Exception) -> str:
    """What went wrong: for the system's own errors the file and the reason, without their numbers."""
    if isinstance(error, OSError) and error.strerror and not isinstance(error, TinygraphError):
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).removesuffix(here())  # the line that started this program is no line of the user's


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tinygraph", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Train, check, draw and measure a define-by-run model script, and ask its graph questions.",
        epilog="examples:\n"
               "  tinygraph check models/two_layer_net.py\n"
               "  tinygraph train models/two_layer_net.py --out out\n"
               "  tinygraph draw models/two_layer_net.py -o graph.svg\n"
               "  tinygraph bench models/two_layer_net.py\n"
               "  tinygraph compile models/two_layer_net.py -o step.py\n"
               "  tinygraph lint models/two_layer_net.py\n"
               "  tinygraph explain models/two_layer_net.py --of W1\n"
               "  tinygraph shadow models/two_layer_net.py --dtype float32\n"
               "  tinygraph profile models/two_layer_net.py -o step.json\n"
               "  tinygraph derive models/two_layer_net.py --language ja\n"
               "  tinygraph diff models/two_layer_net.py other.py\n\n"
               "tinygraph VERB --help tells more of each.\n\n"
               "exit codes: 0 done; 1 an error, a check that failed, something that a question found; 2 a mistake in "
               "the\narguments; 130 stopped by Ctrl-C; 141 the reader of the answer, such as head, closed it.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for add in (add_train, add_check, add_draw, add_bench, add_compile, add_lint, add_explain, add_shadow, add_profile,
                add_derive, add_diff):
        add(verbs)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> None:
        import tinygraph
        print(f"tinygraph {tinygraph.__version__}")
        parser.exit()
