"""The learning curve: the loss of every step and the accuracies of every epoch, as CSV and as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygraph.training.extra import extra

COLUMNS = ("step", "epoch", "loss", "train_accuracy", "test_accuracy")


class Point(NamedTuple):
    """The accuracies after so many steps, each in [0, 1]."""

    step: int
    train: float
    test: float


class Curve:
    """What a training has shown so far.

    Attributes:
        steps_per_epoch: How many steps make an epoch.
        losses: The loss of step 1, 2, ..., each before that step's update.
        points: The accuracies after step 0 (before any), after each epoch, and at the end.

    >>> curve = Curve(steps_per_epoch=2)
    >>> curve.add_point(0, 0.1, 0.2)
    >>> curve.losses += [2.5, 2.0]
    >>> curve.add_point(2, 0.5, 0.25)
    >>> print(curve.csv(), end="")
    step,epoch,loss,train_accuracy,test_accuracy
    0,0,,0.1,0.2
    1,0,2.5,,
    2,1,2.0,0.5,0.25
    """

    def __init__(self, steps_per_epoch: int) -> None:
        self.steps_per_epoch = steps_per_epoch
        self.losses: list[float] = []
        self.points: list[Point] = []

    def add_point(self, step: int, train: float, test: float) -> None:
        """Note the accuracies after so many steps, in the place of any noted there before."""
        if self.points and self.points[-1].step == step:
            self.points.pop()
        self.points.append(Point(step, train, test))

    def csv(self) -> str:
        """One line a step, numbers in full: what was not measured is empty; the epoch counts complete ones."""
        found = {point.step: point for point in self.points}
        lines = [",".join(COLUMNS)]
        for step, loss in enumerate([None, *self.losses]):
            point = found.get(step)
            accuracies = f"{point.train!r},{point.test!r}" if point else ","
            lines.append(f"{step},{step // self.steps_per_epoch},{'' if loss is None else repr(loss)},{accuracies}")
        return "\n".join(lines) + "\n"

    def state(self) -> dict[str, Any]:
        """The curve as arrays, for `restore`."""
        return {
            "losses": np.array(self.losses, np.float64),
            "points": {"step": np.array([p.step for p in self.points], np.int64),
                       "train": np.array([p.train for p in self.points], np.float64),
                       "test": np.array([p.test for p in self.points], np.float64)},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a saved curve, less a last point between two epochs, which a training that goes on has not."""
        columns = (state["points"][name].tolist() for name in ("step", "train", "test"))
        points = [Point(*values) for values in zip(*columns, strict=True)]
        self.losses = state["losses"].tolist()
        self.points = [point for point in points if point.step % self.steps_per_epoch == 0]

    def png(self, title: str = "") -> bytes:
        """Draw the curve: the losses above, on a logarithmic axis, the accuracies below, over the same steps.

        Raises MissingDependencyError without matplotlib.
        """
        figure = extra("matplotlib.figure", "a picture of the curve").Figure(figsize=(8, 6.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        self._draw_losses(above)
        self._draw_accuracies(below)
        above.set_title(title, loc="left", fontsize=11)
        epochs = above.secondary_xaxis("top", functions=(lambda step: step / self.steps_per_epoch,
                                                         lambda epoch: epoch * self.steps_per_epoch))
        epochs.set_xlabel("epoch", fontsize=9, color="0.4")
        epochs.tick_params(labelsize=8, colors="0.4")
        below.set_xlabel("step")
        below.set_xlim(0, max(len(self.losses), 1))
        for axes in (above, below):
            axes.grid(color="0.9", linewidth=0.8)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=150)
        return file.getvalue()

    def _draw_losses(self, axes: Any) -> None:
        steps = np.arange(1, len(self.losses) + 1)
        losses = np.array(self.losses)
        losses[~np.isfinite(losses)] = np.nan
        axes.plot(steps, losses, color="#b8d4ec", linewidth=0.6, label="each batch")
        width = max(1, len(losses) // 50)
        if width > 1:
            axes.plot(steps, smooth(losses, width), color="#08519c", linewidth=1.6, label=f"mean over {width} batches")
        if losses.size and np.nanmin(losses, initial=np.inf) > 0:
            axes.set_yscale("log")
            ticks = extra("matplotlib.ticker", "a picture of the curve")
            axes.yaxis.set_major_locator(ticks.LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter(ticks.FormatStrFormatter("%g"))
            axes.yaxis.set_minor_locator(ticks.NullLocator())
        axes.set_ylabel("loss")
        legend = axes.legend(loc="upper right", edgecolor="none", fontsize=9)
        legend.legend_handles[0].set_linewidth(3)

    def _draw_accuracies(self, axes: Any) -> None:
        steps = [point.step for point in self.points]
        marker, width = ("o", 1.4) if len(steps) <= 40 else (None, 0.8)
        for name, color, values in (("train", "#6baed6", [point.train for point in self.points]),
                                    ("test", "#d94801", [point.test for point in self.points])):
            label = f"{name}, {values[-1]:.4f} at the end" if values else name
            axes.plot(steps, values, color=color, marker=marker, markersize=3, linewidth=width, label=label)
        # The first accuracies, those of chance, would press all that follows into a line.
        later = [min(p.train, p.test) for p in self.points if p.step >= len(self.losses) / 20]
        axes.set_ylim(max(0.0, np.floor(min(later, default=0.0) * 20 - 1) / 20), 1.01)
        axes.set_ylabel("accuracy")
        axes.legend(loc="lower right", edgecolor="none", fontsize=9)


def smooth(values: Sequence[float] | NDArray[Any], width: int) -> NDArray[Any]:
    """The mean over a window of so many values around each, over fewer at both ends.

    >>> smooth([0.0, 3.0, 6.0, 3.0], 3)
    array([1.5, 3. , 4. , 4.5])
    """
    kernel = np.ones(width)
    found = np.convolve(np.nan_to_num(np.asarray(values, np.float64)), kernel, "same")
    weight = np.convolve(np.isfinite(values).astype(float), kernel, "same")
    means: NDArray[Any] = found / np.maximum(weight, 1)
    return means
