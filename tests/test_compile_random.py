"""Random numbers in a compiled step: drawn anew at each call, from tg.random's generator, as the step itself does."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygraph as tg
from tinygraph.testing.trial import several


@pytest.fixture(autouse=True)
def same_state_after():
    state = tg.random.get_state()
    yield
    tg.random.set_state(state)


def dropout(x, rate=0.5):
    return x * (tg.random.rand(*x.shape) > rate) / (1 - rate)


def training():
    """A step with dropout and noise, and its weight."""
    w = tg.tensor(np.linspace(-1.0, 1.0, 12).reshape(3, 4), requires_grad=True, name="w")

    def step(x):
        w.zero_grad()
        h = dropout(tg.tanh(x @ w))
        loss = ((h + tg.random.normal(tg.tensor(0.0), 0.1, h.shape)) ** 2).mean()
        loss.backward()
        w.data -= 0.1 * w.grad
        return loss
    return w, step


def test_dropout_is_that_of_the_step_itself_bit_for_bit_over_many_steps():
    (w, eager), (v, step) = training(), training()
    step = tg.compile(step)
    data = np.random.default_rng(0).standard_normal((30, 5, 3))
    tg.random.seed(3)
    wanted = [eager(x).item() for x in data]
    after = tg.random.get_state()
    tg.random.seed(3)
    assert [step(x).item() for x in data] == wanted
    assert tg.random.get_state() == after
    assert v.data.tobytes() == w.data.tobytes()
    assert len(set(wanted)) == 30
    assert "rng.random(" in step.source


def test_eager_and_compiled_calls_go_on_from_each_other():
    (_, eager), (_, other) = training(), training()
    step = tg.compile(other)
    x = np.ones((5, 3))
    tg.random.seed(3)
    wanted = [eager(x).item() for _ in range(9)]
    tg.random.seed(3)
    assert [f(x).item() for f in (other, step, other, step, step, step, other, step, other)] == wanted


DRAWS = [
    lambda r, x: r.normal(size=(2, 3)), lambda r, x: r.normal(x, 2.0), lambda r, x: r.uniform(2, 3, 4),
    lambda r, x: r.rand(2), lambda r, x: r.randn(2, 2), lambda r, x: r.standard_normal(3, dtype=np.float32),
    lambda r, x: r.permutation(6), lambda r, x: r.permutation(x), lambda r, x: r.integers(0, 9, 5),
    lambda r, x: r.choice(x, 4), lambda r, x: r.poisson(np.exp(x)), lambda r, x: x[r.permutation(3)],
    lambda r, x: x.astype(np.float32) * r.uniform(), lambda r, x: x * r.rand(), lambda r, x: r.randint(5) + x,
    lambda r, x: np.where(r.random() < 0.5, x, -x), lambda r, x: r.gamma(2.0, size=3),
    lambda r, x: (r.exponential(), r.laplace(size=2), r.gumbel(x)),
]


@pytest.mark.parametrize("draw", DRAWS)
def test_every_way_to_draw(draw):
    step = tg.compile(lambda x: draw(tg.random, x))
    x = np.array([0.5, -1.0, 2.0])
    tg.random.seed(1)
    wanted = [draw(tg.random, x) for _ in range(5)]
    tg.random.seed(1)
    for want in wanted:
        for a, b in zip(several(step(x)), several(want), strict=True):
            assert np.asarray(a).dtype == np.asarray(b).dtype
            np.testing.assert_array_equal(a, b)


def test_shuffling_a_copy_and_drawing_into_an_array():
    def f(x):
        order = x.copy()
        tg.random.shuffle(order)
        noise = np.zeros_like(x)
        tg.random.standard_normal(out=noise)
        return order, noise
    step = tg.compile(f)
    x = np.arange(7.0)
    tg.random.seed(1)
    wanted = [f(x) for _ in range(4)]
    tg.random.seed(1)
    for want in wanted:
        np.testing.assert_array_equal(step(x), want)


def test_a_draw_that_nobody_uses_is_made_all_the_same():
    def f(x):
        tg.random.normal(size=3)
        return x * tg.random.rand(3)
    step = tg.compile(f)
    tg.random.seed(1)
    wanted = [f(np.ones(3)) for _ in range(4)]
    tg.random.seed(1)
    assert [step(np.ones(3)).tolist() for _ in range(4)] == [w.tolist() for w in wanted]


@pytest.mark.parametrize("draw", [lambda: np.random.default_rng().random(3), np.random.default_rng(0).random])
def test_numpys_own_generators_are_refused_with_the_remedy(draw):
    step = tg.compile(lambda x: x * draw())
    step(np.ones(3))
    with pytest.raises(tg.TraceError, match=r"random numbers come from tg\.random \(test_compile_random\.py:\d+"):
        step(np.ones(3))


@pytest.mark.parametrize("act", [lambda: tg.random.seed(0), tg.random.get_state, lambda: tg.random.set_state({})])
def test_seeding_inside_is_refused(act):
    step = tg.compile(lambda x: act() or x)
    with pytest.raises(tg.TraceError, match="seed it outside"):
        step(np.ones(3))
    tg.random.seed(0)  # the generator is the module's own again


def test_a_plain_array_is_not_drawn_into():
    kept = np.arange(3.0)
    for act in (lambda: tg.random.shuffle(kept), lambda: tg.random.random(out=kept)):
        with pytest.raises(tg.TraceError, match="plain array"):
            tg.compile(lambda x, act=act: act() or x)(np.ones(3))
    assert kept.tolist() == [0.0, 1.0, 2.0]


def test_what_fails_puts_the_generator_back():
    def f(x):
        tg.random.rand(3)
        raise KeyError("no")
    before = tg.random.get_state()
    with pytest.raises(KeyError):
        tg.compile(f)(np.ones(3))
    assert tg.random.get_state() == before


def test_a_fallback_draws_what_the_step_would_have():
    def f(x):
        y = x * tg.random.rand(3)
        return y if y.sum() > 0 else -y
    step = tg.compile(f, fallback=True)
    tg.random.seed(1)
    wanted = f(np.ones(3))
    tg.random.seed(1)
    with pytest.warns(RuntimeWarning, match="f runs without being compiled"):
        np.testing.assert_array_equal(step(np.ones(3)), wanted)


def test_another_thread_draws_real_numbers_while_a_step_is_recorded():
    drawn, inside, done = [], threading.Event(), threading.Event()

    def f(x):
        inside.set()
        assert done.wait(10)
        return x * tg.random.rand(3)

    def other():
        inside.wait(10)
        drawn.append(tg.random.rand(3))
        done.set()
    thread = threading.Thread(target=other)
    thread.start()
    step = tg.compile(f)
    step(np.ones(3))
    thread.join()
    assert type(drawn[0]) is np.ndarray
    step(np.ones(3))
    assert step.source.count("rng.") == 1


def test_a_saved_program_takes_a_generator(tmp_path):
    step = tg.compile(lambda x: x * tg.random.rand(3))
    for _ in range(2):
        step(np.ones(3))
    step.save(tmp_path / "saved.py")
    script = "import saved, numpy as np; print(saved.step(np.ones(3), np.random.default_rng(5))[0].tolist())"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert eval(done.stdout) == np.random.default_rng(5).random(3).tolist()
    assert "rng  numpy.random.Generator  drawn from" in (tmp_path / "saved.py").read_text()


def test_a_report_draws_nothing_from_the_generator():
    step = tg.compile(lambda x: x * tg.random.rand(3))
    for _ in range(2):
        step(np.ones(3))
    before = tg.random.get_state()
    assert "rng.random" in str(step.report(repeats=3))
    assert tg.random.get_state() == before
