"""IDX files: every dtype comes through, and no file, however damaged or hostile, gives anything but a DataError."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygraph.core.errors import DataError, DTypeError
from tinygraph.data import parse_idx, read_idx, write_idx

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: "i2", 0x0C: "i4", 0x0D: "f4", 0x0E: "f8"}
MB = 1 << 20


def idx(code: int, dims: tuple[int, ...], payload: bytes = b"") -> bytes:
    return struct.pack(f">HBB{len(dims)}I", 0, code, len(dims), *dims) + payload


IMAGES = idx(0x08, (2, 3, 4), bytes(range(24)))


def peak(call: Callable[[], object]) -> int:
    """The most memory, in bytes, that was held during a call which must end in a DataError."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("code", DTYPES)
def test_every_dtype_is_read_native_and_writeable(tmp_path: Path, code: int, suffix: str) -> None:
    values = np.array([[0, 1, 2], [100, 3, 127]], dtype=DTYPES[code])
    whole = idx(code, (2, 3), values.astype(values.dtype.newbyteorder(">")).tobytes())
    path = tmp_path / f"file{suffix}"
    path.write_bytes(gzip.compress(whole) if suffix else whole)
    array = read_idx(path)
    assert array.dtype == values.dtype
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, values)
    array[0, 0] = 7


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 28, 28), (2, 1, 3, 1, 2)])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_written_is_read_back(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    values = np.random.default_rng(0).integers(-5, 5, shape).astype(np.int16)
    write_idx(tmp_path / f"a{suffix}", values)
    array = read_idx(str(tmp_path / f"a{suffix}"))
    assert array.shape == shape
    np.testing.assert_array_equal(array, values)


def test_a_transposed_array_is_written_in_its_own_order(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float64).reshape(2, 3).T
    write_idx(tmp_path / "a", values)
    np.testing.assert_array_equal(read_idx(tmp_path / "a"), values)


def test_writing_twice_gives_the_same_gzip_bytes(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(9, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_dtype_that_idx_lacks_is_named() -> None:
    with pytest.raises(DTypeError, match="not complex128: convert the array first"):
        write_idx("never written", np.zeros(2, dtype=complex))


def test_gzip_is_told_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "plain.gz").write_bytes(IMAGES)
    (tmp_path / "packed").write_bytes(gzip.compress(IMAGES))
    np.testing.assert_array_equal(read_idx(tmp_path / "plain.gz"), read_idx(tmp_path / "packed"))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_of_any_kind_and_streams_are_parsed(kind: Callable[[bytes], bytes]) -> None:
    expected = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(parse_idx(kind(IMAGES)), expected)
    np.testing.assert_array_equal(parse_idx(kind(gzip.compress(IMAGES))), expected)


def test_a_stream_that_gives_a_byte_at_a_time_is_read_whole() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(1)

    for whole in (IMAGES, gzip.compress(IMAGES)):
        assert parse_idx(Slow(whole)).sum() == sum(range(24))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_truncated_at_every_offset(pack: Callable[[bytes], bytes]) -> None:
    whole = pack(IMAGES)
    for end in range(len(whole)):
        with pytest.raises(DataError):
            parse_idx(whole[:end])


@pytest.mark.parametrize("end", range(len(IMAGES)))
def test_truncated_before_it_was_packed(end: int) -> None:
    with pytest.raises(DataError, match="ends after"):
        parse_idx(gzip.compress(IMAGES[:end]))


@pytest.mark.parametrize("extra", [b"\0", b"x" * 100_000])
def test_trailing_bytes(extra: bytes) -> None:
    for data in (IMAGES + extra, gzip.compress(IMAGES + extra), gzip.compress(IMAGES) + gzip.compress(extra)):
        with pytest.raises(DataError, match="goes on after these 24 bytes where it should end"):
            parse_idx(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with 4 bytes of header, and this one ends after 0"),
        (b"<!DOCTYPE html>", "begins with the bytes 00 00, and this one with 3c 21"),
        (idx(0x0A, (1,), b"\0"), "third byte of an IDX file is one of 08, 09, 0b, 0c, 0d, 0e, and of this one 0a"),
        (bytes([0, 0, 8, 255]) + b"\0\0\0\1" * 255 + b"x", "255 dimensions, and an array has at most 32"),
        (bytes([0, 0, 8, 3]) + b"\0\0\0\1", "3 dimensions in 12 bytes, and ends after 4: the file is truncated"),
        (idx(0x08, (2**31, 28, 28)), "2,147,483,648 x 28 x 28 uint8, which is 1,683,627,180,032 bytes where at most"),
        (idx(0x0E, (2**32 - 1,) * 32), "at most 1,073,741,824 are allowed"),
        (idx(0x0E, (2**31, 2**31, 4, 0)), "at most 1,073,741,824 are allowed"),
        (idx(0x08, (10,), b"12345"), "10 uint8, which is 10 bytes, and the data ends after 5: the file is truncated"),
    ],
)
def test_hostile_and_foolish_headers_are_told_apart_at_once(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "digits-idx3-ubyte"
    for whole in (data, gzip.compress(data)):
        path.write_bytes(whole)
        with pytest.raises(DataError) as caught:
            read_idx(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_cap_is_the_callers_to_set() -> None:
    assert parse_idx(IMAGES, max_bytes=24).size == 24
    with pytest.raises(DataError, match="24 bytes where at most 23 are allowed"):
        parse_idx(IMAGES, max_bytes=23)


@pytest.mark.parametrize("name", ["missing", "", "nul\0byte"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be opened: "):
        read_idx(f"{tmp_path}/{name}")


def test_a_promise_that_the_data_does_not_keep_costs_no_memory() -> None:
    for data in (idx(0x08, (1000, 1000, 1000), b"x" * 100), gzip.compress(idx(0x0E, (100, MB), b"x" * 100))):
        assert peak(lambda data=data: parse_idx(data)) < 4 * MB  # type: ignore[misc]


def test_a_gzip_bomb_is_left_one_byte_after_what_its_header_promises() -> None:
    bomb = gzip.compress(idx(0x08, (2, 3), bytes(256 * MB)), compresslevel=1)
    assert len(bomb) < 2 * MB
    assert peak(lambda: parse_idx(bomb)) < 4 * MB


def test_a_gzip_bomb_of_many_members_is_left_as_early() -> None:
    bomb = gzip.compress(IMAGES) + gzip.compress(bytes(16 * MB)) * 16
    assert peak(lambda: parse_idx(bomb)) < 4 * MB


def test_a_bomb_whose_header_agrees_is_stopped_by_the_cap() -> None:
    bomb = gzip.compress(idx(0x08, (64, MB), bytes(64 * MB)), compresslevel=1)
    assert peak(lambda: parse_idx(bomb, max_bytes=MB)) < 4 * MB


def test_a_flipped_bit_inside_gzip_is_caught_by_its_own_checksum() -> None:
    whole = bytearray(gzip.compress(IMAGES))
    whole[-6] ^= 1  # in the CRC
    with pytest.raises(DataError, match="cannot be read whole: CRC check failed"):
        parse_idx(whole)


@given(st.data())
def test_corruption_anywhere_gives_an_array_or_a_data_error(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([IMAGES, gzip.compress(IMAGES, mtime=0)])))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        array = parse_idx(bytes(whole))
    except DataError:
        return
    assert array.nbytes <= len(IMAGES)


@given(
    st.binary(max_size=64), st.sampled_from([b"", b"\0\0", b"\0\0\x08\x01\0\0\0", b"\x1f\x8b\x08", b"\x1f\x8b\x08\x1f"])
)
def test_arbitrary_bytes_give_an_array_or_a_data_error(tail: bytes, head: bytes) -> None:
    with suppress(DataError):
        parse_idx(head + tail)
