"""Memory that a step frees and the next one asks for again."""

from __future__ import annotations

import numpy as np

LARGEST = 32 * 2 ** 20 - 2 ** 13
"""The largest block from which glibc draws the conclusion below (bytes): 32 MiB, less its own header."""


def keep_freed() -> None:
    """Have the C library keep freed memory, up to 64 MiB, instead of giving it back to the system at once.

    A step allocates its arrays anew and frees them all at its end. If they go back to the system, the next step's are
    cleared page by page, which for arrays of some MB takes as long as the arithmetic. glibc learns from what it sees: a
    block that is freed raises the size below which it keeps blocks, and twice that is how much it keeps (mallopt(3),
    M_MMAP_THRESHOLD). So one large block, which is never written to and so takes up nothing, is allocated and freed.

    >>> keep_freed()
    """
    np.empty(LARGEST, np.uint8)
