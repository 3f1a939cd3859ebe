"""Draw one step of the lecture's two-layer net on the digits, from its live graph, into two_layer_net.svg."""

import sys
from pathlib import Path

import tinygraph as tg

sys.path.insert(0, str(Path(__file__).parents[2]))

from models.two_layer_net import TwoLayerNet

(x, t), _ = tg.data.load_digits()
loss = TwoLayerNet(64, 50, 10, seed=0).loss(x[:100], t[:100])
loss.backward()

tg.draw(loss).save(Path(__file__).with_suffix(".svg"))
