"""The optional packages of the extra ``train``, imported when they are first needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from tinygraph.core.errors import MissingDependencyError


def extra(module: str, purpose: str) -> ModuleType:
    """Import an optional module; raise MissingDependencyError, with the remedy, where it is not installed.

    >>> extra("no_such_package.part", "a picture")
    Traceback (most recent call last):
    tinygraph.core.errors.MissingDependencyError: a picture needs no_such_package: pip install 'tinygraph[train]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.split(".")[0]
        raise MissingDependencyError(f"{purpose} needs {name}: pip install 'tinygraph[train]'") from error
