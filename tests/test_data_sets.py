"""The digits that come with the package, the spiral, and any data set by its name."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from tinygraph.core.errors import ArgumentError, DTypeError
from tinygraph.data import NAMES, load, load_digits, load_spiral, make_spiral


def test_the_digits_are_the_originals() -> None:
    (x_train, t_train), (x_test, t_test) = load_digits(normalize=False, flatten=False)
    assert (x_train.shape, t_train.shape) == ((1437, 1, 8, 8), (1437,))
    assert (x_test.shape, t_test.shape) == ((360, 1, 8, 8), (360,))
    assert x_train.dtype == np.uint8
    assert (x_train.min(), x_train.max()) == (0, 16)
    # The class counts that the UCI repository states for optdigits.tes.
    assert np.bincount(np.append(t_train, t_test)).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert x_train[0, 0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_the_digits_file_is_small_and_whole() -> None:
    path = files("tinygraph.data").joinpath("digits.npz")
    assert len(path.read_bytes()) < 100_000
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        digest = hashlib.sha256(arrays["images"].tobytes() + arrays["labels"].tobytes()).hexdigest()
    licence = files("tinygraph.data").joinpath("digits.LICENSE.md").read_text(encoding="utf-8")
    assert digest in licence
    for needed in ("E. Alpaydin", "C. Kaynak", "CC BY 4.0", "10.24432/C50P49", "What was changed"):
        assert needed in licence


def test_the_digits_in_the_forms_of_the_lecture() -> None:
    (x_train, t_train), (x_test, t_test) = load_digits(one_hot_label=True, dtype=np.float64)
    (raw, digits), _ = load_digits(normalize=False)
    assert x_train.dtype == t_train.dtype == np.float64
    np.testing.assert_array_equal(x_train, raw / 16)
    np.testing.assert_array_equal(t_train, np.eye(10)[digits])
    assert t_test.sum(axis=0).tolist() == [36] * 10
    assert x_test.max() == 1


def test_the_digits_are_a_new_array_each_time() -> None:
    load_digits(normalize=False)[0][0][:] = 99
    assert load_digits(normalize=False)[0][0].max() == 16


def test_the_spiral_follows_its_definition() -> None:
    x, t = make_spiral(seed=3, samples=40, noise=0.0, dtype=np.float64)
    assert x.shape == (120, 2)
    assert t.dtype == np.int64
    radius = np.hypot(*x.T)
    np.testing.assert_allclose(np.sort(radius), np.repeat(np.arange(40) / 40, 3), atol=1e-15)
    angle = 4 * (t + radius)
    np.testing.assert_allclose(x, np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1), atol=1e-14)


def test_the_spirals_noise_is_in_the_angle_alone() -> None:
    x, t = make_spiral(seed=0, samples=2000, noise=0.2, dtype=np.float64)
    radius = np.hypot(*x.T)
    off = np.angle(np.exp(1j * (np.arctan2(x[:, 0], x[:, 1]) - 4 * (t + radius))))[radius > 0]
    assert abs(off.mean()) < 0.01
    assert abs(off.std() - 0.2) < 0.01


def test_the_spirals_seed_decides() -> None:
    for a, b in zip(make_spiral(7), make_spiral(7), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(make_spiral(7)[0], make_spiral(8)[0])


def test_the_spirals_test_set_is_another_one() -> None:
    (x_train, t_train), (x_test, t_test) = load_spiral(seed=7, samples=30, classes=5, one_hot_label=True)
    np.testing.assert_array_equal(x_train, make_spiral(7, 30, 5)[0])
    assert (x_test.shape, t_test.shape) == ((150, 2), (150, 5))
    assert t_train.sum(axis=0).tolist() == t_test.sum(axis=0).tolist() == [30] * 5
    assert not np.array_equal(x_train, x_test)


@pytest.mark.parametrize(
    "wrong", [{"samples": 0}, {"classes": 0}, {"classes": 12}, {"noise": -0.1}, {"noise": float("nan")}]
)
def test_a_spiral_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="a spiral"):
        make_spiral(**wrong)


@pytest.mark.parametrize("name", ["digits", "spiral", pytest.param("mnist", marks=pytest.mark.needs_mnist)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_data_set_has_one_form(name: str, dtype: str) -> None:
    data = load(name, dtype=dtype)
    for x, t in ((data.x_train, data.t_train), (data.x_test, data.t_test)):
        assert x.shape == (len(t), data.input_size)
        assert x.dtype == dtype
        assert np.abs(x).max() <= 1
        assert t.dtype == np.int64
        assert set(t) == set(range(data.classes))
    assert data.name == name
    assert name in repr(data)
    assert len(repr(data)) < 120


def test_images_unflattened_keep_their_input_size() -> None:
    digits = load("digits", flatten=False, one_hot_label=True)
    assert digits.x_test.shape == (360, 1, 8, 8)
    assert (digits.input_size, digits.t_train.shape[1]) == (64, 10)


def test_a_data_set_that_there_is_not() -> None:
    assert NAMES == ("mnist", "digits", "spiral")
    with pytest.raises(ArgumentError, match="no data set 'cifar': choose one of mnist, digits, spiral"):
        load("cifar")


@pytest.mark.parametrize("call", [load_digits, load_spiral, make_spiral, lambda dtype: load("digits", dtype=dtype)])
def test_samples_are_floating_point(call: Any) -> None:
    with pytest.raises(DTypeError, match="cannot be int32"):
        call(dtype=np.int32)


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"gzip", "urllib.request", "http", "socket", "hashlib", "tempfile", "zipfile", "tqdm", "numpy.random"}
    program = (
        "import numpy, sys; before = set(sys.modules); import tinygraph.data; "
        f"print({heavy} & set(sys.modules) - before)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
