"""Draw one step of the lecture's two-layer net on the digits, with its values, from its live graph."""

from pathlib import Path

import tinygraph as tg
from models.two_layer_net import TwoLayerNet

(x, t), _ = tg.data.load_digits()
loss = TwoLayerNet(64, 50, 10, seed=0).loss(x[:100], t[:100])
loss.backward()

for theme in ("light", "dark"):
    tg.draw(loss, theme=theme).save(Path(__file__).with_name(f"two_layer_net-{theme}.svg"))
