"""The lecture's network: Affine, ReLU, Affine, then softmax with loss. Backward is the graph's.

Train it with ``python models/two_layer_net.py`` or ``tinygraph train models/two_layer_net.py``.
"""

import numpy as np

import tinygraph as tg


class TwoLayerNet:
    """Two affine layers with a ReLU between them, trained by softmax with loss.

    x: (N, input_size)   t: labels as indices (N,) or one-hot (N, output_size)

    >>> net = TwoLayerNet(input_size=4, hidden_size=3, output_size=2, seed=0)
    >>> round(float(net.loss(np.ones((5, 4)), np.zeros(5, int))), 3)
    0.693
    """

    def __init__(self, input_size, hidden_size, output_size, weight_init_std=0.01, seed=None, dtype=np.float64):
        rng = np.random.default_rng(seed)

        def weights(name, *shape):
            return tg.tensor(weight_init_std * rng.standard_normal(shape), True, dtype, name)

        def bias(name, size):
            return tg.tensor(np.zeros(size), True, dtype, name)

        self.params = {"W1": weights("W1", input_size, hidden_size), "b1": bias("b1", hidden_size),
                       "W2": weights("W2", hidden_size, output_size), "b2": bias("b2", output_size)}

    def predict(self, x):
        """Logits, (N, output_size)."""
        W1, b1, W2, b2 = self.params.values()
        return tg.affine(tg.relu(tg.affine(x, W1, b1)), W2, b2)

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
    """Make the net for data of this size: what the four verbs of the command line ask of a model script."""
    return TwoLayerNet(input_size, 50, output_size, seed=seed, dtype=dtype)


if __name__ == "__main__":
    import sys

    from tinygraph.cli import main

    sys.exit(main(["train", __file__, *sys.argv[1:]]))
