"""``python -m tinygraph`` is the command-line program `tinygraph`."""

import sys

from tinygraph.cli import main

if __name__ == "__main__":
    sys.exit(main())
