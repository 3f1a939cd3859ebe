"""The same work on tinygraph and on its peers, interleaved in one process: ``python -m benchmarks --help``.

Every side gets one thread unless told: two pools of threads on the same cores spin each other to a halt. The settings
stand here, because they must come before NumPy, PyTorch or JAX is first imported.
"""

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit(threads: int) -> None:
    """Give every library that is imported from now on so many threads."""
    for name in VARIABLES:
        os.environ[name] = str(threads)
    if threads == 1:  # the size of XLA's pool of threads
        os.environ["NPROC"] = "1"
    else:
        os.environ.pop("NPROC", None)


if not any(name in os.environ for name in VARIABLES):
    limit(1)
