"""MNIST: found in the user's folder, in the cache, or downloaded from local mirrors that behave and misbehave."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygraph.core.errors import DataError, DTypeError
from tinygraph.data import cache_folder, find_mnist, load_mnist, write_idx
from tinygraph.data import mnist as mnist_module

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

Answer = Callable[[BaseHTTPRequestHandler], None]


def small() -> dict[str, np.ndarray[Any, Any]]:
    """Arrays in MNIST's form, with 12 digits to train on and 5 to test on."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 12), ("t10k", 5)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.integers(0, 10, n, dtype=np.uint8)
    return arrays


def write(folder: Path, suffix: str = ".gz", **changed: np.ndarray[Any, Any] | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in {**small(), **{name.replace("_", "-"): array for name, array in changed.items()}}.items():
        if array is not None:
            write_idx(folder / f"{name}{suffix}", array)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no folder of the user's, and no proxy on the way to 127.0.0.1."""
    monkeypatch.delenv("TINYGRAPH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    return cache_folder()


@pytest.fixture
def originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small files that, for this test, are the originals: their sums are the expected ones."""
    folder = write(tmp_path / "originals")
    files = {}
    for name, array in small().items():
        whole = gzip.decompress((folder / f"{name}.gz").read_bytes())
        files[name] = mnist_module.Original(array.nbytes, hashlib.sha256(whole).hexdigest())
    monkeypatch.setattr(mnist_module, "FILES", files)
    return folder


@contextmanager
def mirror(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine: its address, and the names that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path.rpartition("/")[2])
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a client that gives up is what is being tested
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/mnist/", asked
        finally:
            server.shutdown()
            thread.join()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, length: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def serving(folder: Path) -> Answer:
    return lambda handler: send(handler, (folder / handler.path.rpartition("/")[2]).read_bytes())


def silent(release: threading.Event) -> Answer:
    def wait(_: BaseHTTPRequestHandler) -> None:
        release.wait(10)

    return wait


def find(*mirrors: str, timeout: float = 2.0) -> Path | None:
    return find_mnist(mirrors=mirrors, timeout=timeout, progress=False)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


WHOLE = sorted(f"{name}.gz" for name in NAMES)


# The user's own folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_folder_that_the_environment_names(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    own = write(tmp_path / "own", suffix)
    monkeypatch.setenv("TINYGRAPH_DATA", str(own))
    assert find_mnist(download=False) == own
    (x_train, t_train), (x_test, t_test) = load_mnist()
    images, digits = small()["train-images-idx3-ubyte"], small()["train-labels-idx1-ubyte"]
    assert (x_train.shape, t_train.shape, x_test.shape, t_test.shape) == ((12, 784), (12,), (5, 784), (5,))
    assert x_train.dtype == np.float32
    assert t_train.dtype == np.int64
    np.testing.assert_array_equal(x_train, images.reshape(12, 784).astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(t_train, digits)
    assert not cache.exists()


def test_the_forms_that_the_lecture_asks_for(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYGRAPH_DATA", str(write(tmp_path / "own")))
    arrays = small()
    (x_train, t_train), _ = load_mnist(False, False, True)
    assert x_train.dtype == np.uint8
    np.testing.assert_array_equal(x_train[:, 0], arrays["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(t_train, np.eye(10)[arrays["train-labels-idx1-ubyte"]])
    (_, _), (x_test, t_test) = load_mnist(one_hot_label=True, flatten=False, dtype="float64")
    assert x_test.shape == (5, 1, 28, 28)
    assert x_test.dtype == t_test.dtype == np.float64
    np.testing.assert_array_equal(x_test[:, 0], arrays["t10k-images-idx3-ubyte"] / 255)


def test_an_integer_dtype_is_refused_before_anything_is_looked_for(cache: Path) -> None:
    with pytest.raises(DTypeError, match="cannot be int64"):
        load_mnist(dtype=np.int64)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            "train_images_idx3_ubyte",
            np.zeros((12, 28, 27), np.uint8),
            r"the train images should be uint8 \(N, 28, 28\)",
        ),
        ("train_images_idx3_ubyte", np.zeros((11, 28, 28), np.uint8), r"they are uint8 \(11, 28, 28\) and \(12,\)"),
        ("train_images_idx3_ubyte", np.zeros((12, 28, 28), np.int32), r"they are int32 \(12, 28, 28\) and \(12,\)"),
        ("t10k_labels_idx1_ubyte", np.zeros((5, 1), np.uint8), r"the t10k images .* and \(5, 1\)"),
        ("t10k_labels_idx1_ubyte", np.zeros((), np.uint8), r"the t10k images .* and \(\)"),
        (
            "t10k_labels_idx1_ubyte",
            np.full(5, 10, np.uint8),
            r"t10k labels should be uint8 0..9, and are uint8 up to 10",
        ),
        ("t10k_labels_idx1_ubyte", np.zeros(5, np.int16), r"t10k labels should be uint8 0..9, and are int16 up to 0"),
    ],
)
def test_own_files_that_do_not_fit_together(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, array: Any, message: str
) -> None:
    monkeypatch.setenv("TINYGRAPH_DATA", str(write(tmp_path / "own", **{name: array})))
    for call in (load_mnist, find_mnist):
        with pytest.raises(DataError, match=message):
            call(download=False)


def test_an_own_file_that_is_damaged_is_an_error_and_not_passed_over(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write(tmp_path / "own")
    path = own / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:1000])
    monkeypatch.setenv("TINYGRAPH_DATA", str(own))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: the data cannot be read whole"):
        load_mnist()


def test_nowhere_to_be_had_says_what_was_tried(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = write(tmp_path / "own", t10k_labels_idx1_ubyte=None)
    with pytest.raises(DataError, match=r"TINYGRAPH_DATA is not set; the cache .* holds 0 of the 4 files"):
        load_mnist(download=False)
    monkeypatch.setenv("TINYGRAPH_DATA", str(own))
    with pytest.raises(DataError) as caught:
        load_mnist(download=False)
    assert f"TINYGRAPH_DATA is {own}, which lacks t10k-labels-idx1-ubyte; the cache {cache} holds" in str(caught.value)
    assert "set TINYGRAPH_DATA to a folder that holds train-images-idx3-ubyte, " in str(caught.value)
    assert find_mnist(download=False) is None


# The cache


def test_the_cache_is_in_the_users_own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "tinygraph" / "mnist"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sys.platform", "linux")
    for ignored in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache_folder() == tmp_path / "home" / ".cache" / "tinygraph" / "mnist"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == tmp_path / "home" / "Library" / "Caches" / "tinygraph" / "mnist"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "tinygraph" / "mnist"


def test_the_cache_must_hold_the_originals(cache: Path) -> None:
    write(cache)  # of the right form, but not MNIST
    assert find_mnist(download=False) is None
    with pytest.raises(DataError, match=r"SHA-256 is \w{12}... and that of the original train-images-idx3-ubyte is"):
        load_mnist(download=False)


@pytest.mark.usefixtures("originals")
def test_the_cache_serves_without_any_network(cache: Path) -> None:
    write(cache)
    assert find_mnist(download=False) == cache
    assert load_mnist(download=False)[0][0].shape == (12, 784)


# The download


def test_a_download_is_kept_and_not_repeated(cache: Path, originals: Path) -> None:
    with mirror(serving(originals)) as (url, asked):
        assert find(url) == cache
        assert sorted(asked) == WHOLE
        assert find(url) == cache
        assert len(asked) == 4
    assert files(cache) == WHOLE
    assert load_mnist()[1][1].tolist() == small()["t10k-labels-idx1-ubyte"].tolist()


def test_only_what_is_damaged_in_the_cache_is_downloaded_again(cache: Path, originals: Path) -> None:
    write(cache)
    for path in (cache / "t10k-labels-idx1-ubyte.gz", cache / "train-images-idx3-ubyte.gz"):
        path.write_bytes(path.read_bytes()[:-9])
    with mirror(serving(originals)) as (url, asked):
        assert find(url) == cache
    assert sorted(asked) == ["t10k-labels-idx1-ubyte.gz", "train-images-idx3-ubyte.gz"]
    assert find_mnist(download=False) == cache


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda body: body[:-20], "what it sent: the data cannot be read whole"),
        (lambda body: gzip.compress(gzip.decompress(body)[:-1] + b"?"), "what it sent: unpacked, its SHA-256 is"),
        (
            lambda body: b"<html>Log in to this Wi-Fi first</html>",
            "begins with the bytes 00 00, and this one with 3c 68",
        ),
        (lambda body: gzip.compress(gzip.decompress(body) + bytes(10**5)), "where it should end"),
        (lambda body: os.urandom(200_000), "it sent more than the"),
        (lambda body: b"", "ends after 0"),
    ],
)
def test_a_mirror_with_wrong_content_is_left_for_the_next(
    cache: Path, originals: Path, monkeypatch: pytest.MonkeyPatch, bad: Callable[[bytes], bytes], reason: str
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, bad((originals / handler.path.rpartition("/")[2]).read_bytes()))

    with mirror(answer) as (wrong, asked_first), mirror(serving(originals)) as (right, _):
        monkeypatch.setattr(mnist_module, "MIRRORS", (wrong,))
        with pytest.raises(DataError, match=reason):
            load_mnist()
        assert files(cache) == []
        assert find(wrong, right) == cache
        assert sorted(set(asked_first)) == WHOLE
    assert find_mnist(download=False) == cache


def test_a_connection_cut_short_is_left_for_the_next(cache: Path, originals: Path) -> None:
    with (
        mirror(lambda handler: send(handler, b"\x1f\x8b\x08", length=1000)) as (cut, _),
        mirror(serving(originals)) as (right, _),
    ):
        assert find(cut) is None
        assert files(cache) == []
        assert find(cut, right) == cache


def test_every_reason_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mirror(lambda handler: send(handler, b"", 403)) as (forbidden, _), socket.create_server(("127.0.0.1", 0)) as s:
        nobody = f"http://127.0.0.1:{s.getsockname()[1]}/"
        s.close()
        monkeypatch.setattr(mnist_module, "MIRRORS", (forbidden, nobody, "nonsense"))
        with pytest.raises(DataError) as caught:
            load_mnist()
    told = str(caught.value)
    assert "train-images-idx3-ubyte.gz could not be downloaded: 127.0.0.1:" in told
    assert "HTTP 403 Forbidden; 127.0.0.1:" in told
    assert "Connection refused; nonsense: unknown url type" in told
    assert "\n" not in told
    assert not cache.exists()


def test_a_mirror_that_hangs_costs_a_moment_and_not_the_download(cache: Path, originals: Path) -> None:
    release = threading.Event()
    with mirror(silent(release)) as (hanging, _), mirror(serving(originals)) as (right, _):
        start = time.monotonic()
        assert find(hanging, right, timeout=0.8) == cache
        assert time.monotonic() - start < 4
        release.set()


def test_mirrors_that_all_hang_are_given_up_together(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    with mirror(silent(release)) as (one, _), mirror(silent(release)) as (two, asked):
        start = time.monotonic()
        assert find(one, two, one, timeout=0.3) is None
        assert time.monotonic() - start < 1.5
        assert asked
        release.set()
    assert not cache.exists()


def test_a_mirror_that_stops_half_way_is_left(cache: Path, originals: Path) -> None:
    release = threading.Event()

    def stop(handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"\x1f\x8b", length=1000)
        release.wait(10)

    with mirror(stop) as (stopping, _), mirror(serving(originals)) as (right, _):
        assert find(stopping, right, timeout=0.3) == cache
        release.set()


def test_a_mirror_that_drips_is_left(cache: Path) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"\x1f", length=1000)
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.02)

    with mirror(drip) as (dripping, _):
        start = time.monotonic()
        assert find(dripping, timeout=0.3) is None
        assert time.monotonic() - start < 2


def test_a_name_look_up_that_hangs_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*_: object, **__: object) -> None:
        release.wait(10)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    start = time.monotonic()
    assert find("http://a.invalid/", "http://b.invalid/", timeout=0.3) is None
    assert time.monotonic() - start < 1.5
    release.set()


def test_without_a_network_the_reason_is_short(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    start = time.monotonic()
    with pytest.raises(DataError, match=r"ossci-datasets.s3.amazonaws.com: Temporary failure in name resolution; "):
        load_mnist()
    assert time.monotonic() - start < 1
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_named(cache: Path, originals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.parent.write_text("a file where the folder should be")
    with mirror(serving(originals)) as (url, _):
        monkeypatch.setattr(mnist_module, "MIRRORS", (url,))
        with pytest.raises(DataError, match=r"the cache .* cannot be written to: (Not a directory|File exists)"):
            load_mnist()


def test_a_kill_while_writing_leaves_nothing_that_counts(
    cache: Path, originals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with mirror(serving(originals)) as (url, _), pytest.raises(KeyboardInterrupt):
        find(url)
    assert files(cache) == []


def test_the_bar_is_drawn_on_a_terminal_and_not_needed(
    cache: Path, originals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm")
    with mirror(serving(originals)) as (url, _):
        with monkeypatch.context() as patch:
            patch.setattr("sys.stderr.isatty", lambda: True, raising=False)
            assert find_mnist(mirrors=[url]) == cache
            drawn = capsys.readouterr().err
        for path in cache.iterdir():
            path.unlink()
        monkeypatch.setitem(sys.modules, "tqdm", None)
        assert find_mnist(mirrors=[url]) == cache
    assert capsys.readouterr().err == ""
    assert "train-images-idx3-ubyte.gz: 100%" in drawn


# The real thing


@pytest.mark.needs_mnist
def test_the_real_mnist() -> None:
    (x_train, t_train), (x_test, t_test) = load_mnist()
    assert (x_train.shape, x_test.shape) == ((60000, 784), (10000, 784))
    assert x_train.min() == 0
    assert x_train.max() == 1
    assert t_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert np.bincount(t_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_the_real_mnist_has_the_sums_that_downloads_are_checked_against(mnist_folder: Path, cache: Path) -> None:
    packed = {path.name: path.read_bytes() for path in mnist_folder.iterdir() if path.name.startswith(NAMES)}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.rpartition("/")[2]
        send(handler, packed[name] if name in packed else packed[name.removesuffix(".gz")])

    with mirror(answer) as (url, _):
        assert find(url) == cache
    assert find_mnist(download=False) == cache
