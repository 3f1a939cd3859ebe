"""IDX, the file format of MNIST: a short header and one array in big-endian order, plain or gzipped.

The reader trusts neither the header nor the gzip stream: what it allocates grows with the bytes that really arrive, and
it stops one byte after what the header promised, however much a gzip bomb would still unpack.
"""

from __future__ import annotations

import io
import os
from math import prod
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinygraph.core.errors import DataError, DTypeError

Bytes: TypeAlias = bytes | bytearray | memoryview

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""What the header's third byte says of the elements."""

MAX_BYTES = 1 << 30
MAX_DIMS = 32  # what NumPy 1 can hold; nothing real comes near it
CHUNK = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """Read the array of an IDX file, gzipped or plain (its first bytes tell which, its name does not matter).

    Raises DataError where the file cannot be read, is not IDX, is truncated, goes on after its array, or where its
    array takes more than ``max_bytes`` bytes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.gz", np.array([5, 0, 4], dtype=np.uint8))
    ...     read_idx(f"{folder}/labels.gz")
    array([5, 0, 4], dtype=uint8)

    Source: https://web.archive.org/web/20220331130319/https://yann.lecun.com/exdb/mnist/ (its last section).
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            return parse_idx(file, name=name, max_bytes=max_bytes)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte in it
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name}: the file cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def parse_idx(source: Bytes | BinaryIO, *, name: str = "the data", max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """Read the array of IDX bytes, or of a binary file open for reading, gzipped or plain.

    source: 00 00, a type code, the number of dimensions, each dimension as 4 bytes, the elements  ->  the array, native
    and writeable, of uint8, int8, int16, int32, float32 or float64. ``name`` is what errors call it. Raises DataError
    as `read_idx` does.

    >>> parse_idx(bytes.fromhex("00000b 01 00000002 0001 ffff"))
    array([ 1, -1], dtype=int16)
    """
    import zlib

    stream: Any = io.BytesIO(source) if isinstance(source, (bytes, bytearray, memoryview)) else source
    try:
        head = _take(stream, 4)
        if head[:2] == GZIP_MAGIC:
            import gzip

            rejoined: Any = _Rejoined(bytes(head), stream)
            stream = gzip.GzipFile(fileobj=rejoined)
            head = _take(stream, 4)
        dtype, dims = _shape(head, stream, name)
        # A dimension of 0 must not hide others that overflow, so it counts as 1 here.
        if (size := dtype.itemsize * prod(max(dim, 1) for dim in dims)) > max_bytes:
            raise DataError(
                f"{name}: the header promises {_times(dims)} {_plain(dtype)}, which is {size:,} bytes where at most "
                f"{max_bytes:,} are allowed (max_bytes)"
            )
        expected = dtype.itemsize * prod(dims)
        payload = _take(stream, expected)
        if len(payload) < expected:
            raise DataError(
                f"{name}: the header promises {_times(dims)} {_plain(dtype)}, which is {expected:,} bytes, and the "
                f"data ends after {len(payload):,}: the file is truncated"
            )
        if stream.read(1):
            raise DataError(
                f"{name}: the header promises {_times(dims)} {_plain(dtype)}, and the data goes on after these "
                f"{expected:,} bytes where it should end"
            )
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name}: the data cannot be read whole: {error}") from error
    array: NDArray[Any] = np.ndarray(tuple(dims), dtype, buffer=payload)
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def write_idx(path: str | os.PathLike[str], array: NDArray[Any]) -> None:
    """Write an array as an IDX file, gzipped where the path ends in ``.gz``; the same array gives the same bytes.

    array: any shape, of uint8, int8, int16, int32, float32 or float64. Raises DTypeError for another dtype.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     write_idx(file.name, np.zeros((2, 3), dtype=np.float32))
    ...     read_idx(file.name).shape
    (2, 3)
    """
    whole = idx_header(array) + array.astype(array.dtype.newbyteorder(">"), order="C").tobytes()
    name = os.fspath(path)
    if name.endswith(".gz"):
        import gzip

        whole = gzip.compress(whole, mtime=0)
    with open(name, "wb") as file:
        file.write(whole)


def idx_header(array: NDArray[Any]) -> bytes:
    """Give the one header that an IDX file of this array begins with.

    >>> idx_header(np.zeros((60000, 28, 28), dtype=np.uint8)).hex(" ", 4)
    '00000803 0000ea60 0000001c 0000001c'
    """
    codes = {np.dtype(text): code for code, text in DTYPES.items()}
    if (code := codes.get(array.dtype.newbyteorder(">"))) is None:
        known = ", ".join(_plain(dtype) for dtype in codes)
        raise DTypeError(f"an IDX file holds {known}, not {array.dtype}: convert the array first, with astype")
    return bytes([0, 0, code, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()


class _Rejoined:
    """A stream whose first bytes were already read, for GzipFile, which asks only for ``read``."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self.head = head
        self.rest = rest

    def read(self, size: int = -1) -> bytes:
        if not self.head:
            return self.rest.read(size)
        count = len(self.head) if size < 0 else size
        head, self.head = self.head[:count], self.head[count:]
        return head


def _take(stream: BinaryIO, count: int) -> bytearray:
    """Read ``count`` bytes, or up to the end, in chunks: no buffer that only the header vouches for."""
    taken = bytearray()
    while len(taken) < count and (chunk := stream.read(min(CHUNK, count - len(taken)))):
        taken += chunk
    return taken


def _shape(head: bytearray, stream: BinaryIO, name: str) -> tuple[np.dtype[Any], list[int]]:
    """The dtype, still big-endian, and the dimensions, from the first four bytes and those that follow."""
    if len(head) < 4:
        raise DataError(f"{name}: an IDX file begins with 4 bytes of header, and this one ends after {len(head)}")
    if head[:2] != b"\0\0":
        raise DataError(f"{name}: an IDX file begins with the bytes 00 00, and this one with {head[:2].hex(' ')}")
    if (text := DTYPES.get(head[2])) is None:
        known = ", ".join(f"{code:02x}" for code in DTYPES)
        raise DataError(f"{name}: the third byte of an IDX file is one of {known}, and of this one {head[2]:02x}")
    if (ndim := head[3]) > MAX_DIMS:
        raise DataError(f"{name}: the header promises {ndim} dimensions, and an array has at most {MAX_DIMS}")
    dims = _take(stream, 4 * ndim)
    if len(dims) < 4 * ndim:
        raise DataError(
            f"{name}: the header should name {ndim} dimensions in {4 * ndim} bytes, and ends after {len(dims)}: "
            "the file is truncated"
        )
    return np.dtype(text), [int.from_bytes(dims[i : i + 4], "big") for i in range(0, 4 * ndim, 4)]


def _times(dims: list[int]) -> str:
    return " x ".join(f"{dim:,}" for dim in dims) or "1"


def _plain(dtype: np.dtype[Any]) -> str:
    return dtype.newbyteorder("=").name
