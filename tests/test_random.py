"""Random numbers: NumPy's own from a seed, state that can be read and set, gradients through location and scale."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

import tinygraph as tg

PLACED = ["normal", "uniform", "laplace", "gumbel"]


@pytest.fixture(autouse=True)
def same_state_after():
    state = tg.random.get_state()
    yield
    tg.random.set_state(state)


@pytest.mark.parametrize("draw", [
    lambda r: r.normal(1.0, 2.0, (2, 3)), lambda r: r.uniform(2, 3, 4), lambda r: r.standard_normal(3),
    lambda r: r.integers(0, 9, 5), lambda r: r.permutation(6), lambda r: r.choice([1, 2, 3], 4), lambda r: r.random(2),
    lambda r: r.exponential(2.0, 3), lambda r: r.laplace(0.0, 1.0, 2), lambda r: r.gumbel(size=2),
    lambda r: r.poisson(4.0, 3),
    lambda r: r.gamma(2.0, size=3), lambda r: r.normal(), lambda r: r.normal(np.zeros(2), [1.0, 2.0]),
])
def test_what_is_drawn_is_numpys_of_the_same_seed(draw):
    tg.random.seed(7)
    got, wanted = draw(tg.random), draw(np.random.default_rng(7))
    assert type(got) is type(wanted)
    np.testing.assert_array_equal(got, wanted)


def test_the_names_that_people_know():
    tg.random.seed(1)
    a, b, c = tg.random.rand(2, 3), tg.random.randn(4), tg.random.randint(0, 5, (2, 2))
    assert (a.shape, b.shape, c.shape, c.dtype) == ((2, 3), (4,), (2, 2), np.int64)
    assert isinstance(tg.random.rand(), float)
    assert 0 <= tg.random.randint(3) < 3


def test_shuffle_works_in_place_on_an_array():
    a = np.arange(20)
    tg.random.seed(0)
    tg.random.shuffle(a)
    assert sorted(a) == list(range(20))
    assert a.tolist() != list(range(20))


def test_a_state_can_be_kept_in_a_file_and_gone_on_from():
    tg.random.seed(3)
    tg.random.randn(5)
    state = json.loads(json.dumps(tg.random.get_state()))
    first = tg.random.randn(4)
    tg.random.integers(9, size=7, dtype=np.int32)
    tg.random.set_state(state)
    np.testing.assert_array_equal(tg.random.randn(4), first)


def test_a_state_that_was_read_is_not_changed_by_drawing():
    state = tg.random.get_state()
    before = json.dumps(state)
    tg.random.randn(3)
    assert json.dumps(state) == before


@pytest.mark.parametrize("state", [{}, None, {"bit_generator": "MT19937"}, 3])
def test_what_is_no_state_is_refused(state):
    before = tg.random.get_state()
    with pytest.raises(tg.ArgumentError, match=r"set_state: .*get_state\(\) of a PCG64.*test_random\.py"):
        tg.random.set_state(state)
    assert tg.random.get_state() == before


@pytest.mark.parametrize("name", PLACED)
def test_a_tensor_draws_the_same_numbers_and_is_differentiable(name):
    draw = getattr(tg.random, name)
    tg.random.seed(5)
    wanted = draw(np.array([1.0, 2.0]), np.array([3.0, 5.0]), (4, 2))
    a, b = tg.tensor([1.0, 2.0], requires_grad=True), tg.tensor([3.0, 5.0], requires_grad=True)
    tg.random.seed(5)
    y = draw(a, b, (4, 2))
    np.testing.assert_allclose(y.data, wanted, rtol=1e-15)
    y.sum().backward()
    # The noise, from what was drawn: y = a + scale * noise, and uniform's scale is b - a.
    noise = (wanted - [1.0, 2.0]) / ([2.0, 3.0] if name == "uniform" else [3.0, 5.0])
    np.testing.assert_allclose(b.grad, noise.sum(0), rtol=1e-12)
    np.testing.assert_allclose(a.grad, (1 - noise).sum(0) if name == "uniform" else [4, 4], rtol=1e-12)


def test_exponential_is_differentiable_in_its_mean():
    tg.random.seed(5)
    wanted = tg.random.exponential(2.0, 3)
    mean = tg.tensor(2.0, requires_grad=True)
    tg.random.seed(5)
    y = tg.random.exponential(mean, 3)
    np.testing.assert_allclose(y.data, wanted, rtol=1e-15)
    y.sum().backward()
    np.testing.assert_allclose(mean.grad, wanted.sum() / 2, rtol=1e-12)


@pytest.mark.parametrize("name", PLACED)
def test_the_shape_is_what_the_arguments_have_together_or_what_is_asked_for(name):
    draw = getattr(tg.random, name)
    a = tg.tensor([[1.0], [2.0]], requires_grad=True)
    assert draw(a, np.array([3.0, 4.0, 5.0])).shape == (2, 3)
    assert draw(a, 3.0).shape == (2, 1)
    assert draw(tg.tensor(1.0), 2.0, 4).shape == (4,)
    assert draw(1.0, tg.tensor(2.0)).shape == ()


def test_threads_draw_different_numbers():
    drawn: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: drawn.append(tg.random.randn(1000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(np.unique(np.concatenate(drawn))) == 4000


def test_a_generator_of_its_own_leaves_ours_alone():
    before = tg.random.get_state()
    assert isinstance(tg.random.default_rng(0), np.random.Generator)
    tg.random.default_rng(0).random(3)
    assert tg.random.get_state() == before


def test_a_name_that_numpy_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'gauss'"):
        tg.random.gauss  # noqa: B018
    assert "poisson" in dir(tg.random)
