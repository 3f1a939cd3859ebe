"""Draw softmax with cross entropy, taken apart into numbers for three classes, from a live graph.

The numbers are the graph's own; the hints say how the textbook shortens each formula.
"""

from pathlib import Path

import numpy as np

import tinygraph as tg


@tg.op(symbol="+", tex=(r"\frac{\partial L}{\partial Y}",) * 3, vjp=(lambda g, y, a, b, c: g,) * 3)
def add_three(a, b, c):
    """The sum of three numbers, as one circle."""
    return a + b + c


a = [tg.tensor(value, requires_grad=True, name=f"a{i}") for i, value in enumerate((0.3, 2.9, 4.0), 1)]
t = [tg.tensor(value, name=f"t{i}") for i, value in enumerate((0.0, 1.0, 0.0), 1)]

with tg.scope("Softmax"):
    e = [np.exp(value) for value in a]
    total = add_three(*e)
    total.name = "S"
    share = np.reciprocal(total)
    y = [value * share for value in e]
    for i, value in enumerate(y, 1):
        value.name = f"y{i}"
with tg.scope("Cross Entropy Error"):
    logs = [np.log(value) for value in y]
    weighted = [label * value for label, value in zip(t, logs, strict=True)]
    summed = add_three(*weighted)
    summed.name = "Σ t log y"
    loss = summed * -1
loss.name = "L"
loss.backward()

formulas = {total: r"\frac{1}{S}", share: "-S", summed: "-1", loss: ""}
for i, (ai, ei, yi, li, wi) in enumerate(zip(a, e, y, logs, weighted, strict=True), 1):
    formulas |= {ai: f"y_{i} - t_{i}", ei: rf"\frac{{1}}{{S}} - \frac{{t_{i}}}{{\exp(a_{i})}}",
                 (ei, total): r"\frac{1}{S}", (ei, yi): rf"-\frac{{t_{i}}}{{\exp(a_{i})}}", (share, yi): f"-t_{i} S",
                 yi: rf"-\frac{{t_{i}}}{{y_{i}}}", li: f"-t_{i}", wi: "-1"}
lines = [list(line) for line in zip(a, e, y, logs, weighted, strict=True)]
lines[1] += [summed, loss]  # the main line, that of the right answer
lines.insert(2, [total, share])

hints = tg.Hints(rows=lines, formulas=formulas)
for theme in ("light", "dark"):
    tg.draw(loss, show="values", hints=hints, theme=theme).save(
        Path(__file__).with_name(f"softmax_with_loss-{theme}.svg"))
