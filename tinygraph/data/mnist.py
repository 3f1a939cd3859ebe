"""MNIST, 70,000 handwritten digits: found on this machine, or downloaded once into the user's cache."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tinygraph.core.errors import DataError
from tinygraph.core.files import write_whole
from tinygraph.data.arrange import Pairs, arrange, floating
from tinygraph.data.download import fetch
from tinygraph.data.idx import idx_header, parse_idx, read_idx

Arrays: TypeAlias = dict[str, NDArray[Any]]


class Original(NamedTuple):
    """What one of the four files holds, unpacked: its array's number of bytes, and the SHA-256 of the whole file."""

    size: int
    sha256: str


# Sums of the unpacked files: the mirrors' gzip bytes differ with who packed them, what is inside does not.
FILES = {
    "train-images-idx3-ubyte": Original(47_040_000, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
    "train-labels-idx1-ubyte": Original(60_000, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    "t10k-images-idx3-ubyte": Original(7_840_000, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
    "t10k-labels-idx1-ubyte": Original(10_000, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
}

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)


def load_mnist(
    normalize: bool = True,
    flatten: bool = True,
    one_hot_label: bool = False,
    *,
    dtype: DTypeLike = np.float32,
    download: bool = True,
) -> Pairs:
    """Load MNIST as the lecture does: ``(x_train, t_train), (x_test, t_test)``, 60,000 and 10,000 digits.

    x: (N, 784) or, unflattened, (N, 1, 28, 28), of ``dtype``, brightness 0..1; without ``normalize`` uint8 0..255
    t: (N,) int64 labels 0..9, or (N, 10) one-hot rows of ``dtype``

    The four files are looked for where `find_mnist` says. Raises DataError where they are nowhere to be had.

    >>> if find_mnist(download=False):
    ...     (x_train, t_train), (x_test, t_test) = load_mnist()
    ...     assert x_train.shape[1:] == x_test.shape[1:] == (784,)

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to document recognition, 1998;
    the form is that of K. Saito, Deep Learning from Scratch (O'Reilly Japan, 2016), chapter 3.
    """
    dtype = floating(dtype)
    tried: list[str] = []
    found = _obtain(tried, MIRRORS if download else (), timeout=5.0, progress=True)
    if found is None:
        raise DataError(
            f"MNIST is nowhere to be had ({'; '.join(tried)}): set TINYGRAPH_DATA to a folder that holds "
            f"{', '.join(FILES)}, each plain or as .gz"
        )
    _, arrays = found
    train, test = (
        arrange(
            arrays[f"{part}-images-idx3-ubyte"],
            arrays[f"{part}-labels-idx1-ubyte"],
            white=255,
            normalize=normalize,
            flatten=flatten,
            one_hot_label=one_hot_label,
            dtype=dtype,
        )
        for part in ("train", "t10k")
    )
    return train, test


def find_mnist(
    download: bool = True,
    *,
    mirrors: Sequence[str] = MIRRORS,
    timeout: float = 5.0,
    progress: bool = True,
) -> Path | None:
    """Find the folder that holds MNIST's four files, or None.

    In turn: the folder that the environment variable TINYGRAPH_DATA names, whose files are the user's own and need
    only the right shapes; the user's cache, whose files must have the originals' SHA-256; a download from the
    ``mirrors`` into the cache, checked before it is kept, and given up if none answers within ``timeout`` seconds.

    Raises DataError where TINYGRAPH_DATA names a folder whose files are damaged or do not fit together: that is a
    mistake to mend and not a lack of data.

    >>> folder = find_mnist(download=False)
    >>> folder is None or folder.is_dir()
    True
    """
    found = _obtain([], mirrors if download else (), timeout=timeout, progress=progress)
    return None if found is None else found[0]


def cache_folder() -> Path:
    """Give the folder that downloads are kept in: ``tinygraph/mnist`` in the user's cache, whether it exists or not.

    The user's cache is XDG_CACHE_HOME, or else ~/.cache, on macOS ~/Library/Caches, on Windows LOCALAPPDATA.

    >>> cache_folder().parts[-2:]
    ('tinygraph', 'mnist')
    """
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(os.path.expanduser("~"))  # unlike Path.home(), gives "~" where there is no home, and does not raise
    if os.path.isabs(named):  # the XDG specification: a relative path is to be ignored
        base = Path(named)
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = home / ".cache"
    return base / "tinygraph" / "mnist"


def _obtain(tried: list[str], mirrors: Sequence[str], *, timeout: float, progress: bool) -> tuple[Path, Arrays] | None:
    """The folder and the four arrays, or None; each place that was tried in vain goes into ``tried``."""
    if own := os.environ.get("TINYGRAPH_DATA", ""):
        folder = Path(os.path.expanduser(own))
        if lacking := [name for name in FILES if _path(folder, name) is None]:
            tried.append(f"TINYGRAPH_DATA is {own}, which lacks {', '.join(lacking)}")
        else:
            return folder, _own(folder)
    else:
        tried.append("TINYGRAPH_DATA is not set")

    cache = cache_folder()
    arrays: Arrays = {}
    for name in FILES:
        if path := _path(cache, name):
            try:
                arrays[name] = _genuine(name, read_idx(path, max_bytes=FILES[name].size), str(path))
            except DataError as error:
                tried.append(str(error))
    if len(arrays) < len(FILES):
        tried.append(f"the cache {cache} holds {len(arrays)} of the {len(FILES)} files")
        if not mirrors:
            return None
    for name in FILES:
        if name in arrays:
            continue
        try:
            arrays[name] = _download(cache, name, mirrors, timeout, progress)
        except DataError as error:
            tried.append(str(error))
            return None
    return cache, arrays


def _download(cache: Path, name: str, mirrors: Sequence[str], timeout: float, progress: bool) -> NDArray[Any]:
    """Fetch one file, check it, and only then write it into the cache."""
    size = FILES[name].size
    data, array = fetch(
        f"{name}.gz",
        mirrors,
        lambda data: _genuine(name, parse_idx(data, name="what it sent", max_bytes=size), "what it sent"),
        limit=size + size // 100 + 1024,  # gzip never makes a file much longer
        timeout=timeout,
        progress=progress,
    )
    try:
        write_whole(cache / f"{name}.gz", data, lasting=True)
    except OSError as error:
        raise DataError(f"the cache {cache} cannot be written to: {error.strerror or error}") from error
    return array


def _path(folder: Path, name: str) -> Path | None:
    """The file, plain or as .gz, or None; a folder that may not be entered lacks it."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if os.path.isfile(path)), None)


def _genuine(name: str, array: NDArray[Any], where: str) -> NDArray[Any]:
    """The array, if the file it came from has the original's sum; the header, which is part of it, follows from it."""
    from hashlib import sha256

    digest = sha256(idx_header(array))
    digest.update(array.data)
    if (found := digest.hexdigest()) != FILES[name].sha256:
        raise DataError(
            f"{where}: unpacked, its SHA-256 is {found[:12]}... and that of the original {name} is "
            f"{FILES[name].sha256[:12]}..."
        )
    return array


def _own(folder: Path) -> Arrays:
    """The arrays of the user's own files, which may hold fewer digits, or other pictures in MNIST's form."""
    arrays = {name: read_idx(path) for name in FILES if (path := _path(folder, name))}
    for part in ("train", "t10k"):
        images, labels = (arrays[f"{part}-{kind}-ubyte"] for kind in ("images-idx3", "labels-idx1"))
        n = len(labels) if labels.ndim else 0
        if n == 0 or labels.shape != (n,) or images.shape != (n, 28, 28) or images.dtype != np.uint8:
            raise DataError(
                f"{folder}: the {part} images should be uint8 (N, 28, 28) and the labels (N,), and they are "
                f"{images.dtype} {images.shape} and {labels.shape}"
            )
        if labels.dtype != np.uint8 or labels.max() > 9:
            raise DataError(
                f"{folder}: the {part} labels should be uint8 0..9, and are {labels.dtype} up to {labels.max()}"
            )
    return arrays
