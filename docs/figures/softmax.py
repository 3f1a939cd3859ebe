"""Draw softmax with cross entropy, taken apart, from a live graph, into softmax.svg beside this file."""

from pathlib import Path

import numpy as np

import tinygraph as tg

a = tg.tensor([0.3, 2.9, 4.0], requires_grad=True, name="a")
t = tg.tensor([0.0, 1.0, 0.0], name="t")
e = np.exp(a)
y = e / e.sum()
y.name = "y"
loss = -(t * np.log(y)).sum()
loss.backward()

tg.draw(loss, show="values").save(Path(__file__).with_suffix(".svg"))
