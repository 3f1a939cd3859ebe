"""Saved state: the same bits come back, a kill leaves a whole file, and what is not whole is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygraph as tg
from tinygraph.core.errors import MissingDependencyError, StateError
from tinygraph.training import state as state_module

ROOT = Path(__file__).parents[1]

ARRAYS = {
    "0-d": np.array(1.5),
    "empty": np.zeros((0, 3)),
    "empty complex": np.zeros((2, 0), np.complex64),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "strided": np.arange(10)[::-3],
    "broadcast": np.broadcast_to(np.float32(2), (3, 2)),
    "big-endian": np.arange(3, dtype=">f8"),
    "big-endian 0-d": np.array(7, ">i4"),
    "bool": np.array([[True], [False]]),
    "float16": np.array([1, 65504, np.inf], np.float16),
    "float32": np.array([np.nan, -0.0, 1e-45], np.float32),
    "float64": np.array([np.nan, -np.inf, 5e-324]),
    "nan with a payload": np.array([0x7FF8DEADBEEF0001], np.uint64).view(np.float64),
    **{kind: np.array([np.iinfo(kind).min, np.iinfo(kind).max], kind)
       for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "complex64": np.array([1 + 2j, np.nan * 1j], np.complex64),
    "complex128": np.array([[1 - 2j], [3j]]).T,
    "complex 0-d": np.array(1 + 2j),
    "big-endian complex": np.array([1 + 2j], ">c16"),
}

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-2 ** 200, 2 ** 200) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.safetensors"


def through(state: dict[str, Any], path: Path) -> dict[str, Any]:
    tg.save_state(path, state)
    return tg.load_state(path)


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS.keys())
def test_an_array_comes_back_to_the_bit(array, path):
    found = through({"a": array}, path)["a"]
    assert type(found) is np.ndarray
    assert (found.dtype.str, found.shape) == (array.dtype.str, array.shape)
    assert found.tobytes() == array.tobytes()
    assert found.flags.writeable
    assert found.flags.owndata


@given(st.dictionaries(st.text(), plain))
def test_plain_values_come_back_equal_and_of_their_type(tmp_path_factory, state):
    found = through(state, tmp_path_factory.getbasetemp() / "plain.safetensors")
    assert found == state
    assert json.dumps(found) == json.dumps(state)  # which tells 1 from True and from 1.0


def test_the_state_of_a_generator_comes_back(path):
    for kind in (np.random.PCG64, np.random.MT19937, np.random.Philox):
        bits = kind(7)
        found = through({"generator": bits.state}, path)["generator"]
        expected = np.random.Generator(bits).random(5)
        again = kind(0)
        again.state = found
        np.testing.assert_array_equal(np.random.Generator(again).random(5), expected)


def test_tensors_scalars_and_tuples_come_back_as_the_docstring_says(path):
    w = tg.tensor([1.0, 2.0], requires_grad=True)
    found = through({"w": w, "computed": w * 2, "scalar": np.float32(3), "flag": np.True_, "pair": (1, [2.5])}, path)
    assert type(found["w"]) is np.ndarray
    assert found["w"].tolist() == [1.0, 2.0]
    assert found["computed"].tolist() == [2.0, 4.0]
    assert (found["scalar"].shape, found["scalar"].dtype, found["scalar"].item()) == ((), np.float32, 3.0)
    assert found["flag"].dtype == np.bool_
    assert found["pair"] == [1, [2.5]]


def test_names_that_clash_with_the_format_or_with_each_other(path):
    state = {"a.b": np.array(1), "a": {"b": np.array(2), "b_": np.array(3)}, "__metadata__": np.array(4),
             "": np.array(5), "重み\ud800": np.array(6), "list": [np.array(7), {"x": np.array(8)}], "0": np.array(9)}
    found = through(state, path)
    assert [found["a.b"], found["a"]["b"], found["a"]["b_"], found["__metadata__"], found[""], found["重み\ud800"],
            found["list"][0], found["list"][1]["x"], found["0"]] == list(range(1, 10))
    assert list(found) == list(state)


def test_other_readers_of_safetensors_see_dotted_names(path):
    from safetensors.numpy import load_file

    tg.save_state(path, {"weights": {"W1": np.eye(2)}, "step": 3})
    tensors = load_file(path)
    assert list(tensors) == ["weights.W1"]
    np.testing.assert_array_equal(tensors["weights.W1"], np.eye(2))


def test_equal_states_make_equal_files(path, tmp_path):
    state = {"b": np.ones(3), "a": {"x": np.zeros(2), "n": 1}, "c": np.ones(2, np.float32)}
    tg.save_state(path, state)
    tg.save_state(tmp_path / "other", state)
    assert path.read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(("value", "words"), [
    ({"x": {1: 2}}, "x has the key 1"),
    ({"x": [1, {"y": {3}}]}, r"x\.1\.y is a set"),
    ({"x": np.array(["text"])}, "x is an array of <U4"),
    ({"x": np.array([object()])}, "x is an array of object"),
    ({"x": np.longdouble(1)}, "x is an array of"),
    ({"x": np.zeros(1, "M8[s]")}, "x is an array of datetime64"),
    ({"x": lambda: 0}, "x is a function"),
    ({"x": 1j}, "x is a complex"),
    ([1], "should be a dict"),
    (np.ones(2), "should be a dict"),
], ids=lambda value: str(value)[:30])
def test_what_cannot_be_saved_is_named_with_its_place(value, words, path):
    with pytest.raises(StateError, match=words):
        tg.save_state(path, value)
    assert not path.exists()


# --- files that are not whole -----------------------------------------------------------------------------------------


def test_no_changed_byte_goes_unnoticed(path):
    tg.save_state(path, {"w": np.arange(3.0), "z": np.array([1j]), "n": {"step": 3}})
    whole = path.read_bytes()
    expected = repr(tg.load_state(path))
    for place in range(len(whole)):
        for flip in (0x01, 0x20, 0x80):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1:])
            with suppress(StateError):
                assert repr(tg.load_state(path)) == expected, place


def test_no_truncation_goes_unnoticed(path):
    tg.save_state(path, {"w": np.arange(3.0)})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(StateError, match=str(path)):
            tg.load_state(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(StateError):
        tg.load_state(path)


@pytest.mark.parametrize("content", [
    b"", b"PK\x03\x04" * 100, b"\x80\x04]\x94." * 9, struct.pack("<Q", 2 ** 63) + b"{}", b"\xff" * 64,
], ids=["empty", "zip", "pickle", "huge header", "ones"])
def test_a_foreign_file_is_one_sentence(content, path):
    path.write_bytes(content)
    with pytest.raises(StateError) as caught:
        tg.load_state(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_safetensors_file_of_others_is_told_apart(path):
    from safetensors.numpy import save_file

    save_file({"w": np.ones(2)}, path)
    with pytest.raises(StateError, match="not one that save_state wrote"):
        tg.load_state(path)


def test_a_later_version_of_the_format_is_told_apart(path, monkeypatch):
    monkeypatch.setattr(state_module, "VERSION", 2)
    tg.save_state(path, {})
    monkeypatch.undo()
    with pytest.raises(StateError, match="version 2 of the format, and this tinygraph reads version 1"):
        tg.load_state(path)


@pytest.mark.parametrize("described", [
    "[]", "{}", "{", "null", '{"version": 1}', '{"version": 1, "arrays": [{}]}', "[" * 100_000,
    '{"version": 1, "arrays": [], "tree": {}, "crc32": 0}',
    '{"version": 1, "arrays": [{"tensor": "nobody"}], "tree": {}, "crc32": 0}',
], ids=lambda text: text[:40])
def test_a_description_that_makes_no_sense(described, path):
    from safetensors.numpy import save_file

    save_file({"w": np.ones(2)}, path, {"tinygraph.state": described})
    with pytest.raises(StateError, match="corrupt"):
        tg.load_state(path)


def test_no_file_and_a_folder(path, tmp_path):
    with pytest.raises(StateError, match="cannot be read: No such file"):
        tg.load_state(path)
    with pytest.raises(StateError, match="cannot be read: Is a directory"):
        tg.load_state(tmp_path)
    with pytest.raises(StateError, match="cannot be written"):
        tg.save_state(tmp_path, {})


# --- how it is written ------------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file_and_no_litter(path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    tg.save_state(path, {"old": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="No space left"):
        tg.save_state(path, {"new": 2})
    monkeypatch.undo()
    assert tg.load_state(path) == {"old": 1}
    assert os.listdir(path.parent) == [path.name]


def test_folders_are_made_links_are_followed_and_rights_are_the_users(tmp_path):
    real = tmp_path / "deep" / "real"
    tg.save_state(real, {"n": 1})
    (tmp_path / "link").symlink_to(real)
    tg.save_state(tmp_path / "link", {"n": 2})
    assert (tmp_path / "link").is_symlink()
    assert tg.load_state(real) == {"n": 2}
    (tmp_path / "plain").touch()
    assert real.stat().st_mode == (tmp_path / "plain").stat().st_mode


SAVER = """
import sys
import numpy as np
from tinygraph import save_state
n = 0
while True:
    n += 1
    save_state(sys.argv[1], {"n": n, "first": np.full(100_000, n), "last": np.full(100_000, float(n))})
    if n == 1:
        print("saved", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_a_kill_at_any_moment_leaves_a_whole_file(path):
    rng = random.Random(0)
    reached = []
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert process.stdout is not None
        with process.stdout as pipe:
            assert pipe.readline() == b"saved\n"
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            process.wait()
        state = tg.load_state(path)
        assert (state["first"] == state["n"]).all()
        assert (state["last"] == state["n"]).all()
        reached.append(state["n"])
    assert max(reached) > 1


@pytest.mark.parametrize("use", [lambda path: tg.save_state(path, {}), tg.load_state], ids=["save", "load"])
def test_without_safetensors_the_remedy_is_named(use, path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "safetensors"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'tinygraph\[train\]'"):
        use(path)
