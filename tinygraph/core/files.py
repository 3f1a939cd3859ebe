"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: str | os.PathLike[str], content: bytes, *, lasting: bool = False) -> None:
    """Write a file so that a kill at any moment leaves the old one or the new one, whole; make its folder if need be.

    A link stays a link, and what it points to is replaced. ``lasting`` has the file outlast a power cut too, which
    takes some ms. Raises OSError, which names this file, where it cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "new", "name.txt")
    ...     write_whole(path, b"all of it")
    ...     path.read_bytes()
    b'all of it'
    """
    path = Path(os.path.realpath(path))
    part = path.with_name(f".{os.urandom(8).hex()}.part")  # of no longer a name than the file may have
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(part, "xb") as file:
                file.write(content)
                if lasting:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        if lasting:
            _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _sync_folder(folder: Path) -> None:
    """Have the rename itself outlast a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems do not sync folders
            os.fsync(handle)
    finally:
        os.close(handle)
