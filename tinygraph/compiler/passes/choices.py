"""Passes about what a mask chooses: without a branch an element, and without a mask where a table has the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygraph.compiler.calls import getitem, masked, one_hot
from tinygraph.compiler.passes.algebra import FLOATS
from tinygraph.compiler.passes.rewriting import makers
from tinygraph.compiler.plan import Plan, Step, Value

LARGE = 1 << 10
"""From how much on `masked` is quicker than np.where (bytes)."""

CLASSES = 1 << 10
"""A table of more rows than this is not made."""

ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide}
"""What computes with a mask as with the numbers 0 and 1 of the result's dtype."""


def masks(plan: Plan) -> Plan:
    """`masked` for np.where with zero on one side: as much as twenty times as fast where the mask is irregular."""
    return plan.with_steps([replace(step, function=masked, args=step.args[:2])
                            if _is_masking(step) and step.result.nbytes >= LARGE else step for step in plan.steps])


def _is_masking(step: Step) -> bool:
    """Whether a call gives floats where a mask of their shape is true, and else 0."""
    if step.function is not np.where or len(step.args) != 3 or step.args[2] not in (0, 0.0) or step.kwargs:
        return False
    mask, x, zero = step.args
    alike = all(isinstance(v, Value) and v.shape == step.result.shape for v in (mask, x))
    return alike and mask.dtype == bool and x.dtype == step.result.dtype and x.dtype in FLOATS and not np.signbit(zero)


def one_hot_rows(plan: Plan) -> Plan:
    """Rows of a table for ``np.equal(t[:, None], np.arange(C))``, in the dtype in which they are computed with.

    The table has a row of zeros before and after the classes' own, where labels out of range end.
    """
    made = makers(plan)
    labels: dict[Value, tuple[Value, Step]] = {}
    rows: dict[Any, Value] = {}
    steps: list[Step] = []

    def in_dtype(mask: Value, dtype: np.dtype[Any]) -> Value:
        """The mask as numbers."""
        if (mask, dtype) not in rows:
            column, equal = labels[mask]
            if (mask, None) not in rows:
                flat = made[column].args[0] if column in made and made[column].function is np.expand_dims else None
                if flat is None or len(flat.shape) != 1:
                    flat = Value(column.shape[:1], column.dtype)
                    steps.append(Step(getitem, (column, (slice(None), 0)), {}, flat, equal.why, shares=column))
                rows[mask, None] = places = Value(flat.shape, flat.dtype)
                steps.append(Step(np.add, (flat, 1), {}, places, equal.why))
            table = np.eye(mask.shape[1] + 2, mask.shape[1], -1, dtype)
            constant = Value(table.shape, table.dtype, "units", table)
            rows[mask, dtype] = Value(mask.shape, table.dtype)
            steps.append(Step(one_hot, (constant, rows[mask, None]), {}, rows[mask, dtype], equal.why))
        return rows[mask, dtype]

    for step in plan.steps:
        if (column := _labels(step)) is not None:
            labels[step.result] = column, step
        elif _is_masking(step) and step.args[0] in labels:
            mask, x = step.args[:2]
            step = replace(step, function=masked, args=(in_dtype(mask, np.dtype(f"i{x.dtype.itemsize}")), x))
        elif step.function in ARITHMETIC and not step.kwargs and step.result.dtype in FLOATS:
            step = replace(step, args=tuple([in_dtype(x, step.result.dtype) if isinstance(x, Value) and x in labels
                                             else x for x in step.args]))
        steps.append(step)
    return plan.with_steps(steps)


def _labels(step: Step) -> Value | None:
    """The column of class indices of which a call makes a mask, one row each."""
    result = step.result
    if step.function is not np.equal or step.kwargs or not isinstance(result, Value) or len(result.shape) != 2:
        return None
    column, classes = step.args
    if not isinstance(column, Value) or not isinstance(classes, Value) or classes.constant is None:
        return None
    counted = np.array_equal(np.reshape(classes.constant, -1), np.arange(result.shape[1]))
    fits = column.shape == (result.shape[0], 1) and column.constant is None and result.shape[1] <= CLASSES
    return column if counted and fits and column.dtype.kind in "iu" and column.dtype != np.uint64 else None
