"""Every error that tinygraph raises on purpose, each also a kind of the built-in error that fits it.

>>> issubclass(ShapeError, TinygraphError) and issubclass(ShapeError, ValueError)
True
"""

from __future__ import annotations

import numpy as np


class TinygraphError(Exception):
    """What all of tinygraph's own errors have in common: ``except tg.TinygraphError`` catches each of them."""


class ShapeError(TinygraphError, ValueError):
    """Shapes that do not fit together, an axis that does not exist, or a wrong number of elements."""


class LinAlgError(TinygraphError, np.linalg.LinAlgError):
    """A matrix that is singular, not positive definite or not square where it must be; NumPy's LinAlgError too."""


class DTypeError(TinygraphError, TypeError):
    """A dtype that cannot do what was asked of it, such as an integer tensor that should carry a gradient."""


class ArgumentError(TinygraphError, ValueError):
    """An argument whose type and shape are fine and whose value is not."""


class UnsupportedError(TinygraphError, TypeError):
    """A NumPy function, method or keyword that no op of tinygraph covers."""


class GradientError(TinygraphError, RuntimeError):
    """A gradient that was asked for where there is none, or that would silently come out wrong."""


class TraceError(TinygraphError, RuntimeError):
    """A step that cannot be compiled as it stands; the message names the line and the remedy."""


class DataError(TinygraphError, ValueError):
    """A data file that is truncated, corrupt, hostile or not what its name says; or data that cannot be had."""


class StateError(TinygraphError, ValueError):
    """A file of saved state that is not whole, or that does not fit what it is loaded into."""


class ScriptError(TinygraphError, ValueError):
    """A model script that does not meet the contract of the command line."""


class MissingDependencyError(TinygraphError, ImportError):
    """A program or an optional package that is needed here and not installed; the message says how to install it."""
