"""Labels are told apart by dtype and shape, never by size; what fits neither rule is one clear error."""

from __future__ import annotations

import numpy as np
import pytest

import tinygraph as tg

Z = np.array([[0.3, 2.9, 4.0], [1.0, -1.0, 0.5], [0.0, 0.0, 2.0]])
INDICES = np.array([1, 0, 2])
LOSSES = {
    "fused": tg.softmax_with_loss,
    "in two": lambda z, t: tg.cross_entropy_error(tg.softmax(z), t),
}


@pytest.fixture(params=LOSSES)
def loss(request):
    return LOSSES[request.param]


def by_hand(z, distribution):
    """Mean over the rows of -Σ t log softmax(z), and its derivative in z."""
    z, distribution = np.atleast_2d(z, distribution)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    value = -(distribution * np.log(p)).sum() / len(z)
    return value, (p * distribution.sum(axis=1, keepdims=True) - distribution) / len(z)


def agree(loss, z, t, distribution):
    z = tg.tensor(z, requires_grad=True)
    found = loss(z, t)
    found.backward()
    value, gradient = by_hand(z.data, distribution)
    assert found.shape == ()
    assert found.item() == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(z.grad, gradient.reshape(z.shape), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8", "uint8", "uint64"])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_integers_of_shape_n_or_n_1_are_indices(loss, dtype, shape):
    agree(loss, Z, INDICES.astype(dtype).reshape(shape), np.eye(3)[INDICES])


@pytest.mark.parametrize("dtype", [float, "float32", int, "uint8", bool])
def test_n_by_c_of_any_dtype_is_one_hot(loss, dtype):
    agree(loss, Z, np.eye(3)[INDICES].astype(dtype), np.eye(3)[INDICES])


def test_n_by_c_of_floats_may_be_soft(loss):
    soft = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.1, 0.1, 0.8]])
    agree(loss, Z, soft, soft)


def test_as_many_rows_as_classes_changes_nothing(loss):
    """(N,) integers are indices also where N is C, and (N, N) is a distribution a row."""
    agree(loss, Z, np.array([0, 1, 0]), np.eye(3)[[0, 1, 0]])
    agree(loss, Z, np.array([[0, 1, 0]] * 3), np.array([[0.0, 1.0, 0.0]] * 3))


@pytest.mark.parametrize("t", [np.zeros(4, int), np.zeros((4, 1), int), np.ones((4, 1)), np.ones((4, 1), bool)])
def test_one_class(loss, t):
    """Where C is 1, (N, 1) integers are still indices, all 0; and (N, 1) floats are distributions, all 1."""
    agree(loss, np.arange(4.0).reshape(4, 1), t, np.ones((4, 1)))


def test_one_class_and_an_integer_1_is_an_index_out_of_range(loss):
    with pytest.raises(tg.ArgumentError, match=r"labels from 1 to 1 .* indices go from 0 to 0"):
        loss(tg.tensor(np.zeros((4, 1))), np.ones((4, 1), int))


@pytest.mark.parametrize("t", [1, np.int64(1), np.array(1), np.array([1]), [1]])
def test_one_sample_takes_one_index(loss, t):
    agree(loss, Z[0], t, np.array([0.0, 1.0, 0.0]))


@pytest.mark.parametrize("t", [np.array([0, 1, 0]), np.array([0.2, 0.5, 0.3]), [0.0, 1.0, 0.0], (0, 1, 0)])
def test_one_sample_takes_one_distribution(loss, t):
    agree(loss, Z[0], t, np.asarray(t, float))


def test_one_sample_of_one_class(loss):
    agree(loss, np.array([2.0]), np.array([0]), np.ones(1))
    agree(loss, np.array([2.0]), np.array([1.0]), np.ones(1))


def test_lists_and_tensors_are_labels_too(loss):
    agree(loss, Z, [1, 0, 2], np.eye(3)[INDICES])
    agree(loss, Z, tg.tensor(INDICES), np.eye(3)[INDICES])
    agree(loss, Z, np.eye(3)[INDICES].tolist(), np.eye(3)[INDICES])


def test_soft_labels_have_a_gradient_of_their_own(loss):
    t = np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]])
    # Along a line on which the rows go on summing to one.
    step = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0], [-0.5, 1.0, -0.5]])
    tg.check_grads(lambda u, z: loss(z, t + u * step), (np.zeros((3, 1)), Z))


@pytest.mark.parametrize("labels", [INDICES, np.eye(3)[INDICES], np.eye(3)[INDICES].astype(int), np.eye(3, dtype=bool)])
def test_the_loss_keeps_the_logits_dtype(loss, labels):
    if labels.dtype == np.float64:
        labels = labels.astype(np.float32)
    z = tg.tensor(Z, dtype=np.float32, requires_grad=True)
    value = loss(z, labels)
    value.backward()
    assert (value.dtype, z.grad.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize(("z", "t", "error", "message"), [
    (Z, np.array([1.0, 0, 2]), tg.DTypeError, r"labels of shape \(3,\) and a float dtype .* integers, t.astype\(int\)"),
    (Z, np.array([[1.0], [0.0], [2.0]]), tg.DTypeError, r"labels of shape \(3, 1\) and a float dtype"),
    (np.zeros((3, 1)), np.zeros(3), tg.DTypeError, r"labels of shape \(3,\) and a float dtype"),
    (Z[0], np.array(1.0), tg.DTypeError, r"labels of shape \(\) and a float dtype"),
    (Z[0], 1.0, tg.DTypeError, r"labels of shape \(\) and a float dtype"),
    (Z, np.array([1, 0]), tg.ShapeError, r"2 labels for 3 rows of logits \(3, 3\)"),
    (Z, np.array([[1], [0]]), tg.ShapeError, r"2 labels for 3 rows"),
    (Z, np.array([1, 0, 3]), tg.ArgumentError, r"labels from 0 to 3 for logits \(3, 3\): class indices go from 0 to 2"),
    (Z, np.array([-1, 0, 2]), tg.ArgumentError, r"labels from -1 to 2"),
    (Z, np.array([0, 1, 2 << 56], ">i8"), tg.ArgumentError, "labels from 0 to 144115188075855872"),
    (Z, 1, tg.ShapeError, r"labels \(\) do not fit logits \(3, 3\)"),
    (Z, np.eye(4)[INDICES], tg.ShapeError, r"labels \(3, 4\) do not fit logits \(3, 3\): give class indices \(3,\)"),
    (Z, np.eye(3)[None], tg.ShapeError, r"labels \(1, 3, 3\) do not fit logits"),
    (Z, np.array([True, False, True]), tg.ShapeError, r"labels \(3,\) do not fit logits"),
    (Z, np.ones((3, 3)), tg.ArgumentError, "one distribution a row, and a row's sum is off one by 2"),
    (Z, np.zeros((3, 3), int), tg.ArgumentError, "off one by 1"),
    (Z, np.full((3, 3), np.nan), tg.ArgumentError, "off one by nan"),
    (Z, np.eye(3).astype(complex), tg.DTypeError, "labels of dtype complex128"),
    (Z, None, tg.ShapeError, "do not fit logits"),
    (Z[0], np.array([0, 1]), tg.ShapeError, r"labels \(2,\) do not fit logits \(3,\)"),
    (Z[0], np.array([0, 1, 1]), tg.ArgumentError, "off one by 1"),
    (Z[None], INDICES, tg.ShapeError, r"logits must be \(N, C\) or \(C,\), not \(1, 3, 3\)"),
    (np.array(1.0), 0, tg.ShapeError, r"logits must be \(N, C\) or \(C,\), not \(\)"),
])
@pytest.mark.parametrize("function", [tg.softmax_with_loss, tg.cross_entropy_error])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_anything_else_is_a_clear_error(function, z, t, error, message, as_tensor):
    with pytest.raises(error, match=rf"{message}.* \(test_loss\.py:\d+\)$"):
        function(tg.tensor(z) if as_tensor else z, t)
