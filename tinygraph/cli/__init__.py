"""The command-line program: train, check, draw, measure and compile a model script, and ask its graph questions.

What a script must offer stands in docs/model-scripts.md. Each verb imports what it needs when it is called, so that
``tinygraph --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import traceback
from collections.abc import Sequence
from typing import Any

from tinygraph.cli.common import say
from tinygraph.cli.compiling import add_compile
from tinygraph.cli.look import add_bench, add_check, add_draw
from tinygraph.cli.questions import add_derive, add_diff, add_explain, add_lint, add_profile, add_shadow
from tinygraph.cli.train import add_train
from tinygraph.core.errors import TinygraphError
from tinygraph.core.messages import here


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program on these arguments, or the process's own, and give its exit code.

    0: done; 1: an error, told in one line on standard error, a check that failed, something that a question found;
    130: stopped by Ctrl-C. A mistake in the arguments themselves raises SystemExit with 2, as argparse does.

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
            say(str(error).removesuffix(here()))  # the line that started this program is no line of the user's
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return code


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
               "the\narguments; 130 stopped by Ctrl-C.")
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
