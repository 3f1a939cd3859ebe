"""Mini-batches: each row once an epoch, the same from the same seed, and bit for bit the same after a restore."""

from __future__ import annotations

import json
import tracemalloc
from itertools import chain, islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygraph.core.errors import ArgumentError, ShapeError, StateError
from tinygraph.data import Batches


def make(n: int = 10, batch_size: int = 3, seed: Any = 0, **how: Any) -> Batches:
    return Batches(np.arange(n) * 1.5, np.arange(n), batch_size, seed, **how)


def labels(batches: Batches, count: int) -> list[list[int]]:
    return [t.tolist() for _, t in islice(batches, count)]


def test_samples_and_labels_stay_together() -> None:
    x = np.random.default_rng(0).random((20, 2, 3))
    for x_batch, t_batch in islice(Batches(x, np.arange(20), 6), 10):
        np.testing.assert_array_equal(x_batch, x[t_batch])


def test_an_epoch_gives_every_row_once_and_the_next_another_order() -> None:
    batches = make(12, 3)
    first, second = (list(chain(*labels(batches, batches.steps_per_epoch))) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


@pytest.mark.parametrize(("drop_last", "sizes"), [(True, [3, 3, 3, 3, 3, 3]), (False, [3, 3, 3, 1, 3, 3])])
def test_the_short_batch_is_dropped_or_kept(drop_last: bool, sizes: list[int]) -> None:
    batches = make(10, 3, drop_last=drop_last)
    assert [len(t) for t in labels(batches, 6)] == sizes
    assert batches.steps_per_epoch == (3 if drop_last else 4)


def test_the_epoch_counts_whole_ones() -> None:
    batches = make(10, 5)
    seen = []
    for _ in range(5):
        seen.append((batches.step, batches.epoch))
        next(batches)
    assert seen == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)]


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937])
@pytest.mark.parametrize(("n", "batch_size"), [(10, 4), (1, 1), (60_000, 7_001)])
def test_with_replacement_it_is_the_lectures_choice(n: int, batch_size: int, bits: Any) -> None:
    batches = make(n, batch_size, np.random.Generator(bits(5)), replace=True)
    rng = np.random.Generator(bits(5))
    count = 3 * batches.steps_per_epoch
    assert labels(batches, count) == [rng.choice(n, batch_size).tolist() for _ in range(count)]
    assert (batches.steps_per_epoch, batches.epoch) == (n // batch_size, 3)


@pytest.mark.parametrize("replace", [False, True])
def test_the_seed_decides(replace: bool) -> None:
    runs = [labels(make(50, 7, seed=seed, replace=replace), 30) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_a_generator_serves_as_seed() -> None:
    assert labels(make(seed=np.random.default_rng(3)), 9) == labels(make(seed=3), 9)


@given(
    n=st.integers(1, 12),
    data=st.data(),
    replace=st.booleans(),
    drop_last=st.booleans(),
    before=st.integers(0, 30),
    elsewhere=st.integers(0, 30),
)
def test_a_restored_state_goes_on_bit_for_bit(
    n: int, data: st.DataObject, replace: bool, drop_last: bool, before: int, elsewhere: int
) -> None:
    how = {"n": n, "batch_size": data.draw(st.integers(1, n)), "replace": replace, "drop_last": drop_last}
    batches = make(**how)
    labels(batches, before)
    state = json.loads(json.dumps(batches.state()))
    expected = labels(batches, 20)

    other = make(seed=99, **how)
    labels(other, elsewhere)
    other.restore(state)
    assert (other.step, other.state()) == (before, state)
    assert labels(other, 20) == expected

    batches.restore(state)  # and back on the one that it came from
    assert labels(batches, 20) == expected


def test_a_state_does_not_change_while_the_batches_go_on() -> None:
    batches = make()
    next(batches)
    state = batches.state()
    frozen = json.dumps(state)
    labels(batches, 10)
    assert json.dumps(state) == frozen


def test_another_bit_generator_is_restored_too() -> None:
    batches = make(seed=np.random.Generator(np.random.MT19937(1)))
    next(batches)
    state = batches.state()
    expected = labels(batches, 8)
    batches.restore(state)
    assert labels(batches, 8) == expected
    with pytest.raises(StateError, match="should be the state of a PCG64"):
        make().restore(state)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"n": 11}, "these batches have size=11, and the saved ones have size=10"),
        ({"batch_size": 4}, "these batches have batch_size=4, and the saved ones have batch_size=3"),
        ({"replace": True}, "replace=True, and the saved ones have replace=False"),
        ({"drop_last": False}, "drop_last=False, and the saved ones have drop_last=True"),
    ],
)
def test_a_state_of_other_batches_is_refused(other: dict[str, Any], message: str) -> None:
    with pytest.raises(StateError, match=message):
        make(**other).restore(make().state())


@pytest.mark.parametrize(
    "change",
    [
        {"step": -1},
        {"step": "7"},
        {"step": True},
        {"step": None},
        {"generator": None},
        {"generator": {}},
        {"generator": {"bit_generator": "PCG64"}},
        {
            "generator": {
                "bit_generator": "PCG64",
                "state": {"state": -1, "inc": 2**200},
                "has_uint32": 0,
                "uinteger": 0,
            }
        },
        {"generator": {"bit_generator": "PCG64", "state": {"state": 1, "inc": 1}, "has_uint32": 0, "uinteger": "x"}},
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    batches, twin = make(), make()
    next(batches), next(twin)
    with pytest.raises(StateError, match=r"the saved (step|generator) should be"):
        batches.restore({**batches.state(), **change})
    assert labels(batches, 9) == labels(twin, 9)


@pytest.mark.parametrize("state", [None, [], 3])
def test_what_is_no_state_at_all_is_refused(state: Any) -> None:
    with pytest.raises(StateError, match="should be a dict"):
        make().restore(state)
    with pytest.raises(StateError, match="size=10, and the saved ones have size=None"):
        make().restore({})


@pytest.mark.parametrize("batch_size", [0, -1, 11])
def test_a_batch_size_out_of_range(batch_size: int) -> None:
    with pytest.raises(ArgumentError, match=r"batch_size should be 1\.\.10, the number of samples, and is"):
        make(batch_size=batch_size)


def test_data_that_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="no samples"):
        make(0, 1)
    with pytest.raises(ShapeError, match=r"their shapes are \(3, 2\) and \(4,\)"):
        Batches(np.zeros((3, 2)), np.zeros(4), 1)
    with pytest.raises(ShapeError, match=r"their shapes are \(\) and \(\)"):
        Batches(np.float64(1.0), np.float64(1.0), 1)


def test_plain_lists_serve_as_data() -> None:
    x, t = next(Batches([[1.0, 2.0], [3.0, 4.0]], [0, 1], batch_size=2))
    assert x.shape == (2, 2)
    assert sorted(t) == [0, 1]


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_data_set_is_not_copied(order: Any) -> None:
    x, t = np.zeros((1000, 1000), order=order), np.zeros(1000, dtype=np.int64)
    tracemalloc.start()
    try:
        batches = Batches(x, t, 10)
        for _ in islice(batches, 300):
            pass
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert batches.x is x
