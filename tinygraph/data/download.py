"""One file from the first of several mirrors that gives it whole, given up within seconds where there is no network."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import Any, TypeVar

from tinygraph.core.errors import DataError

T = TypeVar("T")

SLOWEST = 2_000
"""Bytes a second: a mirror that gives less, on average, is left."""


def fetch(
    name: str,
    mirrors: Sequence[str],
    read: Callable[[bytes], T],
    *,
    limit: int,
    timeout: float = 5.0,
    progress: bool = True,
) -> tuple[bytes, T]:
    """Download a file: its bytes, and what ``read`` makes of them.

    name: the file's name, put behind a mirror's address. mirrors: addresses, the first choice first. read: raises
    DataError on bytes that are not the file, and the next mirror is tried. limit: the most bytes the file may have.
    timeout: seconds in which some mirror must answer, counted anew for each that failed on its content, and in which
    an open connection must give its next bytes. progress: show a bar on a terminal, where tqdm is installed.

    Raises DataError, with the reason of each mirror, where none has the file.

    >>> fetch("file", ["http://127.0.0.1:9/"], len, limit=10)  # port 9 of this machine: nobody listens
    Traceback (most recent call last):
    tinygraph.core.errors.DataError: file could not be downloaded: 127.0.0.1:9: ...
    """
    from http.client import HTTPException
    from urllib.parse import urlsplit

    reasons: dict[str, str] = {}
    while waiting := [mirror for mirror in mirrors if mirror not in reasons]:
        mirror, answer = _first_answer(name, waiting, timeout, reasons)
        if answer is None:
            break
        try:
            with answer, _bar(name, answer, progress) as bar:
                data = _body(answer, limit, timeout, bar)
            return data, read(data)
        except (DataError, OSError, HTTPException) as error:
            reasons[mirror] = _reason(error)
    told = "; ".join(f"{urlsplit(mirror).netloc or mirror}: {reason}" for mirror, reason in reasons.items())
    raise DataError(f"{name} could not be downloaded: {told or 'there is no mirror to ask'}")


def _first_answer(name: str, mirrors: Sequence[str], timeout: float, reasons: dict[str, str]) -> tuple[str, Any]:
    """The first mirror to answer, and its open response, or None; why the others did not goes into ``reasons``.

    Threads ask, since looking up a host's name can hang far longer than any socket's timeout. A mirror is asked when
    the one before it has failed, or has been silent for a while, and whoever answers first is taken: a slow network
    is given the whole timeout, and a dead mirror costs a moment.
    """
    from http.client import HTTPException
    from queue import Empty, SimpleQueue
    from threading import Lock, Thread
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    answers: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    lock, over = Lock(), False

    def ask(mirror: str) -> None:
        answer: Any
        try:
            # Some mirrors answer 403 to the default "Python-urllib" (deep-learning-from-scratch#81).
            request = Request(mirror + name, headers={"User-Agent": "tinygraph"})
            answer = urlopen(request, timeout=timeout)
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, HTTPError):
                error.close()
            answer = error
        with lock:
            if over:
                _close(answer)
            else:
                answers.put((mirror, answer))

    deadline = monotonic() + timeout
    patience = timeout / (len(mirrors) + 2)  # so that even the last mirror has two such shares to answer in
    queue, silent = list(mirrors), list[str]()
    try:
        while queue or silent:
            if queue:
                silent.append(queue.pop(0))
                Thread(target=ask, args=(silent[-1],), daemon=True).start()
            left = deadline - monotonic()
            try:
                mirror, answer = answers.get(timeout=max(0.0, min(left, patience) if queue else left))
            except Empty:
                if monotonic() < deadline:
                    continue
                reasons.update((mirror, f"no answer within {timeout:g} s") for mirror in silent)
                break
            silent.remove(mirror)
            if not isinstance(answer, Exception):
                return mirror, answer
            reasons[mirror] = _reason(answer)
        return "", None
    finally:
        with lock:
            over = True
            while not answers.empty():
                _close(answers.get()[1])


def _body(response: Any, limit: int, timeout: float, bar: Any) -> bytes:
    body = bytearray()
    started = monotonic()
    while chunk := response.read1(1 << 16):
        body += chunk
        if bar is not None:
            bar.update(len(chunk))
        if len(body) > limit:
            raise DataError(f"it sent more than the {limit:,} bytes that the file can have")
        if (took := monotonic() - started) > timeout and len(body) < SLOWEST * took:
            raise DataError(f"it sent only {len(body):,} bytes in {took:.0f} s")
    return bytes(body)


def _bar(name: str, response: Any, progress: bool) -> AbstractContextManager[Any]:
    if not progress:
        return nullcontext()
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        return nullcontext()
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    bar: AbstractContextManager[Any] = tqdm(total=total, desc=name, unit="B", unit_scale=True, disable=None)
    return bar


def _close(answer: Any) -> None:
    if not isinstance(answer, Exception):
        answer.close()


def _reason(error: Exception) -> str:
    """What went wrong, in a few words, without urllib's wrapping."""
    cause = getattr(error, "reason", error)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    code = getattr(error, "code", None)
    return f"HTTP {code} {cause}" if code else str(cause) or type(cause).__name__
