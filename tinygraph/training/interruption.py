"""Ctrl-C as a wish to stop, read where stopping leaves everything whole."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """Inside ``with``, the first Ctrl-C (SIGINT) only sets ``asked``, and says so on standard error.

    A second one says that stopping is under way and puts the handler back that was there before, so that a third acts
    at once. Leaving the block puts it back too. Outside the main thread, where Python allows no handlers, Ctrl-C stays
    what it was.

    >>> with Interruption() as interruption:
    ...     interruption.asked
    False
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._heard)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._put_back()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked = True
            _say("stopping after this step; what is there is being saved")
        else:
            _say("stopping already; once more gives up without saving")
            self._put_back()

    def _put_back(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None


def _say(sentence: str) -> None:
    # Not print: the step that was interrupted may be in the middle of writing to the same stream.
    os.write(2, f"\ntinygraph: {sentence}\n".encode())
