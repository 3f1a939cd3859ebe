"""Chains of elementwise calls, block by block: what they compute, where they write, how they share out the work."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tinygraph as tg
from tests.test_compiler_passes import recorded, recorded_after
from tinygraph.compiler import passes
from tinygraph.compiler.passes import blocks
from tinygraph.compiler.plan import Chain
from tinygraph.compiler.source import printed

RNG = np.random.default_rng(0)
LONG, OTHER = RNG.standard_normal((2, 140_001))
WIDE = RNG.standard_normal((1_401, 100))


def chained(function, *arrays):
    """The plan with its chains; its program must give what the function gives, bit for bit, again and again."""
    plan = passes.optimised(recorded(function, *arrays))
    step = printed(plan).load()
    kept = [a.copy() for a in arrays]
    wanted = function(*arrays)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    results = [step(*arrays) for _ in range(3)]
    for got in results:
        for g, w in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(g, w)
            assert g.dtype == w.dtype
    assert not any(np.shares_memory(a, b) for a in results[0] for b in results[1])
    for a, b in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(a, b)
    return plan


def lengths(plan):
    return [len(step.function.steps) for step in plan.steps if isinstance(step.function, Chain)]


def kinds(x, y):
    small = (x * y).astype(np.float32)
    return np.where(small > 0.5, small, 0), np.sqrt(np.abs(x)) + y, small.astype(float) - x


@pytest.mark.parametrize(("function", "arrays", "wanted"), [
    (lambda x: np.exp(np.sin(x) * 2.0) + x, (LONG,), [4]),
    (lambda x, y: (x * y + x, (x * y - y) * x, x * y), (LONG, OTHER), [4]),
    (kinds, (LONG, OTHER), [9]),
    (lambda x: (x - x[0]) * x[:, :1] / 2, (WIDE,), [3]),
    (lambda x: (x[::-1] * x + x).T, (WIDE,), [2]),
    (lambda x: np.exp(x - np.max(x, axis=1, keepdims=True)) / np.sum(np.exp(x), axis=1, keepdims=True), (WIDE,), [3]),
    (lambda x, y: (np.exp(x) + 1, np.exp(y) + 1), (LONG, OTHER), [2, 2]),
    (lambda x: np.exp(x) + 1, (LONG[:100],), []),
    (lambda x: np.exp(x), (LONG,), []),
    (lambda x: np.exp(x) + 1, (LONG[:140_000].reshape(2, -1),), []),
])
def test_large_elementwise_calls_run_in_blocks(function, arrays, wanted):
    assert lengths(chained(function, *arrays)) == wanted


def test_what_a_chain_waits_for_stands_before_it_and_what_waits_for_it_after():
    def f(x, y):
        a = np.exp(x) * y
        total = np.sum(a)
        b = np.sin(x) + a
        return (b * total - a) * 2
    plan = chained(f, LONG, OTHER)
    assert [step.function.__name__ for step in plan.steps] == ["chain", "reduce", "chain"]


def test_an_argument_is_written_over_only_after_its_last_look():
    def f(x, y):
        a, b = np.cumsum(x), np.cumsum(y)
        c = a * b
        return np.cumsum(c + a), np.cumsum(b - c)
    plan = chained(f, LONG, OTHER)
    assert printed(plan).buffers == 0  # c + a takes the place of a, b - c that of b, and c never leaves its block

    def g(x, y):
        a = np.cumsum(x)
        b = a + y
        return np.cumsum(b), np.cumsum(b * a), np.cumsum(a - b)
    assert printed(chained(g, LONG, OTHER)).buffers == 2 * 1_120_064  # only the last may take the place of a


def test_a_chain_keeps_what_it_needs_on_its_way_in_arguments_that_die():
    def f(x, y):
        a = np.cumsum(x)
        return np.sum((a * 2.0 - y) * 3.0 > y)
    source = printed(chained(f, LONG, OTHER)).source
    assert "multiply = np.multiply(cumsum, c_2_0, out=cumsum)" in source
    assert "multiply = np.multiply(x0" in printed(chained(lambda x, y: x * 2.0 - y, LONG, OTHER)).source


def adam(w, m, v, rate=0.1):
    def step(x):
        w.zero_grad()
        loss = ((x @ w) ** 2).sum()
        loss.backward()
        m.data *= 0.9
        m.data += 0.1 * w.grad
        v.data *= 0.99
        v.data += 0.01 * w.grad * w.grad
        w.data -= rate * m.data / (np.sqrt(v.data) + 1e-8)
        return loss
    return step


def state():
    return (tg.tensor(WIDE.copy(), requires_grad=True, name="w"), tg.tensor(np.zeros_like(WIDE), name="m"),
            tg.tensor(np.zeros_like(WIDE), name="v"))


def test_an_optimiser_writes_weights_and_moments_block_by_block_at_the_end():
    ours, theirs = state(), state()
    step, eager = tg.compile(adam(*ours)), adam(*theirs)
    for x in RNG.standard_normal((5, 10, 1_401)):
        np.testing.assert_allclose(step(x).data, eager(x).data, rtol=1e-14)  # a total is added up in another order
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.data, b.data)
    body = step.source.split("def step(")[1]
    assert body.count("in_blocks(") == 1
    assert "copyto" not in body


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_share_the_blocks(monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr(blocks, "THREAD", 1 << 19)
    x = RNG.standard_normal(1_500_001)
    chained(lambda x: np.sqrt(np.abs(x)) * x + 1.0, x)
    step = printed(recorded_after(passes.optimised, lambda x: np.divide(1.0, x) + 1.0, x)).load()
    x[-1] = 0.0
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        step(x)


def test_no_thread_is_started_for_less_work_than_its_start_is_worth():
    def least(function):
        return next(step.function.least for step in chained(function, WIDE).steps if isinstance(step.function, Chain))
    assert least(lambda x: np.exp(x) + 1) > len(WIDE)
    assert least(lambda x: (np.exp(x) + 1) * x - 2) == least(lambda x: np.exp(x) + 1) // 2


def test_a_saved_program_brings_what_runs_its_blocks(tmp_path):
    w = state()[0]
    step = tg.compile(lambda x: tg.ndtr(tg.tanh(w * x)) + 1)
    x = np.ones_like(WIDE)
    for _ in range(3):
        wanted = step(x)
    step.save(tmp_path / "saved.py")
    np.savez(tmp_path / "given.npz", x, w.data)
    script = """
import sys, numpy as np
sys.path.insert(0, sys.argv[1])
import saved
np.save(sys.argv[1] + "/made.npy", saved.step(*np.load(sys.argv[1] + "/given.npz").values())[0])
"""
    subprocess.run([sys.executable, "-I", "-c", script, str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "made.npy"), wanted.data)
