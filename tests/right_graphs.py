"""Losses as people write them, each of them right: what no question may have anything against."""

from __future__ import annotations

import numpy as np

import tinygraph as tg

N, D, H, C = 32, 10, 16, 4
T = np.arange(N) % C


def weights(dtype, **shapes):
    rng = np.random.default_rng(0)
    return [tg.tensor((rng.standard_normal(shape) / np.sqrt(shape[0])).astype(dtype), requires_grad=True, name=name)
            for name, shape in shapes.items()]


def data(dtype, *shape):
    return np.random.default_rng(1).standard_normal(shape or (N, D)).astype(dtype)


def batch_normalisation(dtype):
    w1, gamma, beta, w2 = weights(dtype, W1=(D, H), gamma=(H,), beta=(H,), W2=(H, C))
    h = data(dtype) @ w1
    h = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5) * gamma + beta
    return tg.softmax_with_loss(tg.relu(h) @ w2, T)


def layer_normalisation(dtype):
    w, = weights(dtype, W=(D, D))
    h = data(dtype) @ w
    h = (h - h.mean(-1, keepdims=True)) / (h.std(-1, keepdims=True) + 1e-6)
    return tg.softmax_with_loss(h, T)


def dropout_and_weight_decay(dtype):
    w1, w2 = weights(dtype, W1=(D, H), W2=(H, C))
    mask = (np.arange(N * H).reshape(N, H) % 2).astype(dtype) * 2
    penalty = 0.5 * 0.01 * ((w1 ** 2).sum() + (w2 ** 2).sum())
    return tg.softmax_with_loss(tg.tanh(data(dtype) @ w1) * mask @ w2, T) + penalty


def recurrent(dtype):
    w, u, b, v = weights(dtype, W=(D, 4 * H), U=(H, 4 * H), b=(4 * H,), V=(H, C))
    x = data(dtype, 5, N, D)
    h = c = np.zeros((N, H), dtype)
    for step in x:
        i, f, o, g = np.split(step @ w + h @ u + b, 4, axis=1)
        c = tg.sigmoid(f) * c + tg.sigmoid(i) * tg.tanh(g)
        h = tg.sigmoid(o) * tg.tanh(c)
    return tg.softmax_with_loss(h @ v, T)


def masked_attention(dtype):
    q, k, v, o = weights(dtype, Q=(D, D), K=(D, D), V=(D, D), O=(D, C))
    s = data(dtype, 4, 6, D)
    scores = (s @ q) @ np.swapaxes(s @ k, -1, -2) / np.sqrt(D).astype(dtype)
    scores = np.where(np.tril(np.ones((6, 6), bool)), scores, -np.inf)
    return tg.softmax_with_loss((tg.softmax(scores) @ (s @ v)).mean(1) @ o, T[:4])


def variational(dtype):
    m, s, d = weights(dtype, M=(D, 3), S=(D, 3), D=(3, D))
    x, noise = data(dtype), data(dtype, N, 3)
    mean, logs = x @ m, x @ s
    back = (mean + np.exp(0.5 * logs) * noise) @ d
    return ((back - x) ** 2).sum(1).mean() - 0.5 * (1 + logs - mean ** 2 - np.exp(logs)).sum(1).mean()


def embedding_and_residuals(dtype):
    e, w = weights(dtype, E=(20, C), W=(C, C))
    h = e[np.arange(N) % 20]
    for _ in range(3):
        h = h + 0.1 * tg.relu(h @ w)
    return tg.softmax_with_loss(h, T)


def softmax_by_hand(dtype):
    w, = weights(dtype, W=(D, C))
    z = data(dtype) @ w
    e = np.exp(z - z.max(1, keepdims=True))
    return -np.log((e / e.sum(1, keepdims=True))[np.arange(N), T] + 1e-7).mean()


def logistic(dtype):
    w, = weights(dtype, w=(D,))
    z = data(dtype) @ w
    return np.mean(np.logaddexp(0, z) - (T > 1).astype(dtype) * z)


def likelihood_of_a_normal(dtype):
    w, s = weights(dtype, W=(D, 1), s=(1,))
    r = data(dtype, N, 1) - data(dtype) @ w
    return (0.5 * np.exp(-s) * r ** 2 + 0.5 * s).mean()


def huber(dtype):
    w, = weights(dtype, W=(D, 1))
    r = np.absolute(data(dtype) @ w - data(dtype, N, 1))
    return np.where(r < 1, 0.5 * r ** 2, r - 0.5).mean()


def contrastive(dtype):
    w, = weights(dtype, W=(D, 5))
    h = data(dtype) @ w
    z = h / np.sqrt((h * h).sum(1, keepdims=True) + 1e-12)
    return tg.softmax_with_loss(z @ z.T * 10.0, np.arange(N))


def kernel_of_every_pair(dtype):
    w, = weights(dtype, W=(D, 5))
    h = data(dtype) @ w
    return np.exp(-((h[:, np.newaxis] - h) ** 2).sum(-1)).mean()


def smooth_gate(dtype):
    w1, w2 = weights(dtype, W1=(D, H), W2=(H, C))
    h = data(dtype) @ w1
    return tg.softmax_with_loss(0.5 * h * (1 + tg.tanh(0.7978845608 * (h + 0.044715 * h ** 3))) @ w2, T)


def gradient_penalty(dtype):
    w, = weights(dtype, w=(D,))
    g = tg.grad(lambda x: tg.tanh(x @ w).sum())(tg.tensor(data(dtype), requires_grad=True))
    return ((np.sqrt((g * g).sum(1) + 1e-12) - 1) ** 2).mean()


def convolutional(dtype):
    tg.random.seed(0)
    net = tg.nn.Sequential(tg.nn.Conv2d(1, 4, 3, dtype=dtype), tg.nn.ReLU(), tg.nn.MaxPool2d(2), tg.nn.Tanh(),
                           tg.nn.Conv2d(4, 4, 2, dtype=dtype), tg.nn.Sigmoid(), tg.nn.AvgPool2d(2), tg.nn.Flatten(),
                           tg.nn.Dropout(0.2), tg.nn.Affine(4, C, dtype=dtype))
    return tg.softmax_with_loss(net(data(dtype, 6, 1, 8, 8)), T[:6])


RIGHT = [batch_normalisation, layer_normalisation, dropout_and_weight_decay, recurrent, masked_attention, variational,
         embedding_and_residuals, softmax_by_hand, logistic, likelihood_of_a_normal, huber, contrastive,
         kernel_of_every_pair, smooth_gate, gradient_penalty, convolutional]
