"""Progress on a terminal: the lecture's line of accuracies on standard output, a bar on standard error."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from tinygraph.training.curve import Point
from tinygraph.training.loop import Report, Training

LINES = 50
"""About how many lines of accuracies a training prints at most: a small data set has thousands of epochs."""


class Progress(Report):
    """Prints the accuracies at each epoch, and the loss as it goes: a bar where standard error is a terminal.

    Where it is none, or without tqdm, there is a plain line at each tenth of the way instead.
    """

    def begin(self, training: Training) -> None:
        """Open the bar, and work out which epochs are printed."""
        self.iters, self.accuracy, self.drawn = training.iters, "", 0.0
        epochs = self.iters / training.batches.steps_per_epoch
        self.every = max(1, math.ceil(epochs / LINES))
        self.last_epoch = int(epochs)
        self.bar = _bar(training.step, self.iters)
        if self.every > 1:
            self._print(f"{epochs:,.0f} epochs of {training.batches.steps_per_epoch} steps, every {self.every}th shown")

    def step(self, step: int, loss: float) -> None:
        """Move the bar, or print a line at each tenth."""
        if self.bar is None:
            if step * 10 // self.iters > (step - 1) * 10 // self.iters:
                print(f"step {step:,} of {self.iters:,}: loss {loss:.4f}{self.accuracy}", file=sys.stderr, flush=True)
            return
        now = time.monotonic()
        if now - self.drawn > 0.1:
            self.bar.set_postfix_str(f"loss {loss:.4f}{self.accuracy}", refresh=False)
            self.drawn = now
        self.bar.update()

    def point(self, point: Point, epoch: int) -> None:
        """Print the lecture's line: the accuracies on the training and on the test samples."""
        self.accuracy = f", test accuracy {point.test:.4f}"
        if epoch % self.every == 0 or epoch == self.last_epoch:
            self._print(f"epoch {epoch:>{len(str(self.last_epoch))}}  step {point.step:>{len(str(self.iters))}}  "
                        f"train {point.train:.4f}  test {point.test:.4f}")

    def end(self) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()

    def _print(self, line: str) -> None:
        if self.bar is None:
            print(line, flush=True)
        else:
            self.bar.write(line, file=sys.stdout)


def _bar(done: int, iters: int) -> Any:
    """A progress bar, or None where nobody would see it move."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=iters, initial=done, unit=" steps", dynamic_ncols=True, leave=False, file=sys.stderr)
