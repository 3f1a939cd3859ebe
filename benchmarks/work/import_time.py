"""What ``import tinygraph`` takes beside ``import numpy``, each in new processes, in turn.

Python's own ``-X importtime`` tells the time from within, so that its start is left out; bytecode is cached, as it is
from the second import on.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.harness import Case, Goal, Side
from benchmarks.peers import EAGER


def seconds(module: str) -> float:
    """What importing a module takes in a process of its own, with all that it imports."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", f"import {module}"], env=environment,
                          capture_output=True, check=True, text=True)
    line, = re.findall(rf"^import time: +\d+ \| +(\d+) \| {module}$", done.stderr, re.M)
    return int(line) * 1e-6


def cases() -> Iterator[Case]:
    sides = {EAGER: "tinygraph", "numpy": "numpy"}
    yield Case("import_time", "import, in a new process",
               {name: functools.partial(Side, functools.partial(seconds, module)) for name, module in sides.items()},
               (Goal(EAGER, ("numpy",), at_most=1.3),), kind="told", steps=1)
