"""The peers, imported when a workload asks for one, on as many threads as this process was given.

Each function gives the library's module, or raises Missing with one sentence.
"""

from __future__ import annotations

import functools
import importlib
import os
import warnings
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.harness import Missing

TORCH, COMPILE, JAX, AUTOGRAD = "PyTorch eager", "torch.compile", "JAX jit", "HIPS autograd"
MYGRAD, DEZERO, MICROGRAD, TINYGRAD = "MyGrad", "DeZero", "micrograd", "tinygrad"
EAGER, COMPILED = "tinygraph", "tinygraph compiled"
LECTURE = "the lecture's layers"

PACKAGES = ("torch", "jax", "autograd", "mygrad", "dezero", "micrograd", "tinygrad", "scipy")
"""The distributions whose versions a report names."""

NOTES: dict[str, str] = {}
"""What was done to a peer to make it run, by its name; a report says so."""


def threads() -> int:
    """How many threads every side has."""
    return int(os.environ["OMP_NUM_THREADS"])


def _library(name: str, module: str) -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except (ImportError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module.split(".")[0]:
            raise Missing("is not installed (make bench PEERS=1)") from error
        raise Missing(f"cannot be imported: {str(error).splitlines()[0]}") from error


@functools.cache
def torch() -> Any:
    library = _library(TORCH, "torch")
    library.set_num_threads(threads())
    return library


@functools.cache
def jax() -> Any:
    library = _library(JAX, "jax")
    library.config.update("jax_enable_x64", True)
    library.config.update("jax_platforms", "cpu")
    if "JAX_CPU_ENABLE_ASYNC_DISPATCH" not in os.environ:
        library.config.update("jax_cpu_enable_async_dispatch", False)
        NOTES[JAX] = ("with jax_cpu_enable_async_dispatch off, which makes small steps faster; "
                      "JAX_CPU_ENABLE_ASYNC_DISPATCH=1 measures JAX as it comes")
    return library


def autograd() -> Any:
    _library(AUTOGRAD, "autograd.numpy")
    return _library(AUTOGRAD, "autograd")


def mygrad() -> Any:
    return _library(MYGRAD, "mygrad")


@functools.cache
def dezero() -> Any:
    """DeZero, whose last release asks on import for ``np.int``, which NumPy 2 lacks."""
    np.int = int  # type: ignore[attr-defined]
    try:
        library = _library(DEZERO, "dezero")
    finally:
        del np.int  # type: ignore[attr-defined]
    NOTES[DEZERO] = "imported with np.int set to int, which NumPy 2 lacks"
    return library


def micrograd() -> Any:
    return _library(MICROGRAD, "micrograd.engine")


def tinygrad() -> Any:
    library = _library(TINYGRAD, "tinygrad")
    try:
        library.Device[library.Device.DEFAULT]
    except RuntimeError as error:
        raise Missing(f"has no device: {error} (for the CPU it needs clang or LLVM)") from error
    return library
