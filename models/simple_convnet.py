"""The book's SimpleConvNet: convolution, ReLU, max pooling, Affine, ReLU, Affine, then softmax with loss.

Saitoh, "Deep Learning from Scratch" (2016), section 7.5. Train it with ``python models/simple_convnet.py`` or
``tinygraph train models/simple_convnet.py``.
"""

import math

import numpy as np

import tinygraph as tg
from tinygraph.nn.functional import conv2d, max_pool2d


class SimpleConvNet:
    """Thirty 5 x 5 filters, ReLU and 2 x 2 max pooling, then two affine layers with a ReLU between them.

    x: (N, size * size) or (N, 1, size, size)   t: labels as indices (N,) or one-hot (N, output_size)
    weight_init_std: of the first weights; None for He's √(2 / fan-in), with which momentum learns from the first step

    >>> net = SimpleConvNet(size=8, filters=3, hidden_size=5, output_size=2, seed=0)
    >>> {name: weight.shape for name, weight in net.params.items() if name.startswith("W")}
    {'W1': (3, 1, 5, 5), 'W2': (12, 5), 'W3': (5, 2)}
    >>> net.predict(np.ones((4, 64))).shape
    (4, 2)
    """

    def __init__(self, size, output_size, filters=30, filter_size=5, hidden_size=100, weight_init_std=None, seed=None,
                 dtype=np.float64):
        rng = np.random.default_rng(seed)
        self.image = (1, size, size)
        pooled = (size - filter_size + 1) // 2

        def weights(name, *shape):
            std = weight_init_std or np.sqrt(2 / tg.nn.initial.fans(shape)[0])
            return tg.tensor(std * rng.standard_normal(shape), True, dtype, name)

        def bias(name, size):
            return tg.tensor(np.zeros(size), True, dtype, name)

        self.params = {"W1": weights("W1", filters, 1, filter_size, filter_size), "b1": bias("b1", filters),
                       "W2": weights("W2", filters * pooled * pooled, hidden_size), "b2": bias("b2", hidden_size),
                       "W3": weights("W3", hidden_size, output_size), "b3": bias("b3", output_size)}

    def predict(self, x):
        """Logits, (N, output_size)."""
        W1, b1, W2, b2, W3, b3 = self.params.values()
        h = conv2d(np.reshape(x, (-1, *self.image)), W1, b1)
        h = max_pool2d(tg.relu(h), 2)
        h = tg.affine(h.reshape(len(h), -1), W2, b2)
        return tg.affine(tg.relu(h), W3, b3)

    def loss(self, x, t):
        """Mean cross entropy of the batch, a tensor ()."""
        return tg.softmax_with_loss(self.predict(x), t)

    def accuracy(self, x, t):
        """The share of the rows of x whose largest logit is the label's, in [0, 1]."""
        with tg.no_grad():
            y = self.predict(x).data
        return float(np.mean(np.argmax(y, axis=1) == (t if t.ndim == 1 else np.argmax(t, axis=1))))

    def gradient(self, x, t):
        """The loss's derivative in each weight, by going back through the graph."""
        for weight in self.params.values():
            weight.zero_grad()
        self.loss(x, t).backward()
        return {name: weight.grad for name, weight in self.params.items()}

    def numerical_gradient(self, x, t):
        """The same derivatives by central differences, one weight at a time."""
        return {name: tg.numerical_gradient(lambda _: self.loss(x, t), weight) for name, weight in self.params.items()}


def build(input_size, output_size, *, seed=None, dtype=np.float64):
    """Make the net for square grey images of this many pixels, at least 6 x 6: `models.two_layer_net` for others."""
    size = math.isqrt(input_size)
    if size * size != input_size or size < 6:
        raise ValueError(f"samples of {input_size} numbers are no square images of at least 6 x 6 pixels; a "
                         "convolution needs some, such as --data mnist or --data digits")
    return SimpleConvNet(size, output_size, seed=seed, dtype=dtype)


if __name__ == "__main__":
    import sys

    from tinygraph.cli import main

    sys.exit(main(["train", __file__, *sys.argv[1:]]))
