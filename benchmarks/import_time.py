"""What ``import tinygraph`` takes beside ``import numpy``, each in new processes, in turn.

Python's own ``-X importtime`` tells the time from within, so that its start is left out; bytecode is cached, as it is
from the second import on. Run it with ``python -m benchmarks.import_time``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from benchmarks.interleave import Timing, machine, report

ROUNDS = 15


def seconds(module: str) -> float:
    """What importing a module takes in a process of its own, with all that it imports."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", f"import {module}"], env=environment,
                          capture_output=True, check=True, text=True)
    line, = re.findall(rf"^import time: +\d+ \| +(\d+) \| {module}$", done.stderr, re.M)
    return int(line) * 1e-6


def main() -> None:
    """Import both once for their bytecode, then measure."""
    print(machine())
    modules = ("tinygraph", "numpy")
    taken: dict[str, list[float]] = {module: [] for module in modules}
    for round_number in range(ROUNDS + 1):
        for module in modules:
            took = seconds(module)
            if round_number:
                taken[module].append(took)
    report("import", [Timing(module, tuple(times)) for module, times in taken.items()])


if __name__ == "__main__":
    main()
