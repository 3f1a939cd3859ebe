"""Saved state: a nested dict of arrays and plain values in one safetensors file, whole at every moment.

The arrays are the file's tensors, under dotted names that any reader of safetensors shows. Everything else, and where
each array belongs, is JSON under one key of the file's metadata, with a checksum over both. Nothing is pickled, so
loading a stranger's file runs none of its code.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygraph.core import files
from tinygraph.core.arguments import is_array
from tinygraph.core.errors import StateError
from tinygraph.tensors import Tensor
from tinygraph.training.extra import extra

FORMAT = "tinygraph.state"
VERSION = 1

SAVED = frozenset(np.dtype(code) for code in "?bBhHiIlLqQefdFD")
"""What an array's dtype may be, in either byte order."""

Place = tuple[str | int, ...]


def save_state(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a nested dict of arrays and plain values to one safetensors file.

    The file is written beside ``path``, flushed to the disk and renamed, so that a kill or a power cut at any moment
    leaves the old one or the new one, whole.

    state: values may be arrays and Tensors (real, complex, boolean, integer), numbers, strings, booleans, None, and
        dicts with string keys and lists of these. Whole numbers may be of any size. A tuple comes back as a list, a
        Tensor as its array, a NumPy scalar as a 0-d array.

    Raises StateError for a value of another kind, with its place, or where the file cannot be written;
    MissingDependencyError without safetensors.

    >>> import tempfile, os
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.safetensors")
    ...     save_state(path, {"weights": {"W": np.eye(2)}, "step": 3})
    ...     load_state(path)
    {'weights': {'W': array([[1., 0.],
           [0., 1.]])}, 'step': 3}

    Source: the safetensors format, https://github.com/huggingface/safetensors.
    """
    save = extra("safetensors.numpy", "saved state").save
    arrays: dict[Place, np.ndarray[Any, Any]] = {}
    tree = _take_apart(state, (), arrays)
    if not isinstance(tree, dict):
        raise StateError(f"what is saved should be a dict, and is a {type(state).__name__}")
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    places = []
    for place, array in arrays.items():
        name = _label(place)
        while name in tensors:  # {"a": {"b": ...}, "a.b": ...}
            name += "_"
        tensors[name] = _stored(array)
        places.append({"place": place, "tensor": name, "dtype": array.dtype.str, "shape": array.shape})
    content = {"format": FORMAT, "version": VERSION, "tree": tree, "arrays": places}
    content["crc32"] = _checksum(content, tensors)
    # One key alone: safetensors writes several in no fixed order, and equal states should make equal files.
    write_whole(path, save(tensors, {FORMAT: json.dumps(content)}))


def load_state(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `save_state` wrote: the same nested dict, each array an ndarray of the same bits, dtype and shape.

    Raises StateError where the file is not there, truncated, corrupt, or no saved state of tinygraph's;
    MissingDependencyError without safetensors.

    >>> load_state("nowhere.safetensors")
    Traceback (most recent call last):
    tinygraph.core.errors.StateError: nowhere.safetensors cannot be read: No such file or directory
    """
    safetensors = extra("safetensors", "saved state")
    try:
        with open(path, "rb"), safetensors.safe_open(os.fspath(path), framework="np") as file:
            text = (file.metadata() or {}).get(FORMAT)
            if text is None:
                raise StateError(f"{path} is a safetensors file, and not one that save_state wrote")
            content = json.loads(text)
            if content["version"] != VERSION:
                raise StateError(f"{path} has version {content['version']} of the format, and this tinygraph reads "
                                 f"version {VERSION}")
            tensors = {record["tensor"]: file.get_tensor(record["tensor"]) for record in content["arrays"]}
            if content.pop("crc32") != _checksum(content, tensors):
                raise StateError(f"{path} is corrupt: its checksum does not fit what it holds")
            return _put_together(content, tensors)
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror or error}") from error
    except safetensors.SafetensorError as error:
        raise StateError(f"{path} is truncated, corrupt or no safetensors file: {error}") from error
    except StateError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise StateError(f"{path} is corrupt: its description of what it holds makes no sense ({error!r})") from error


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file of a training whole or not at all, to outlast a power cut; make its folder if need be.

    Raises StateError where it cannot be written.
    """
    try:
        files.write_whole(path, data, lasting=True)
    except OSError as error:
        raise StateError(f"{error.filename} cannot be written: {error.strerror}") from error


def _take_apart(value: Any, place: Place, arrays: dict[Place, np.ndarray[Any, Any]]) -> Any:
    """The value with None where an array was; the arrays go into ``arrays``, by their places."""
    if isinstance(value, Mapping):
        for key in value:
            if type(key) is not str:
                raise StateError(f"{_label(place) or 'the state'} has the key {key!r}, and keys of a saved state are "
                                 "strings")
        return {key: _take_apart(item, (*place, key), arrays) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_take_apart(item, (*place, i), arrays) for i, item in enumerate(value)]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if is_array(value) or isinstance(value, np.generic):
        array = np.asarray(value.data if isinstance(value, Tensor) else value)
        if array.dtype.newbyteorder("=") in SAVED:
            arrays[place] = array
            return None
        raise StateError(f"{_label(place)} is an array of {array.dtype}, which cannot be saved: give booleans, "
                         "integers, or real or complex numbers of up to 64 bits a part")
    raise StateError(f"{_label(place) or 'the state'} is a {type(value).__name__}, which cannot be saved: give "
                     "arrays, numbers, strings, booleans, None, and dicts and lists of these")


def _label(place: Place) -> str:
    """A place as a dotted name, in ASCII, which is all that every reader of safetensors is sure to take."""
    name = ".".join(map(str, place)).encode("ascii", "backslashreplace").decode()
    return name + "_" if name == "__metadata__" else name  # which the format keeps for itself


def _stored(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array as safetensors takes it: in C order, little-endian, a complex number as a pair."""
    array = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    if array.dtype.kind == "c":
        return array.reshape(*array.shape, 1).view(f"<f{array.itemsize // 2}")
    return array


def _checksum(content: dict[str, Any], tensors: dict[str, np.ndarray[Any, Any]]) -> int:
    checksum = zlib.crc32(json.dumps(content).encode())
    for name in sorted(tensors):
        checksum = zlib.crc32(tensors[name].tobytes(), checksum)
    return checksum


def _put_together(content: dict[str, Any], tensors: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = content["tree"]
    for record in content["arrays"]:
        dtype, stored = np.dtype(record["dtype"]), tensors[record["tensor"]]
        if dtype.kind == "c":
            stored = stored.view(dtype.newbyteorder("<"))
        spot: Any = tree
        *way, last = record["place"]
        for key in way:
            spot = spot[key]
        spot[last] = np.array(stored.reshape(record["shape"]), dtype)
    return tree

