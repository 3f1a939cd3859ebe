"""Passes: each takes a plan and gives one that computes the same with less. Pure functions; `optimised` runs them all.

A Value never changes, so two names for one Value are always interchangeable. What may be overwritten in memory is the
printer's matter (`tinygraph.compiler.source`), once the order is settled.
"""

from __future__ import annotations

from collections.abc import Callable

from tinygraph.compiler.passes.algebra import broadcasts, numbers, products, uniform
from tinygraph.compiler.passes.axes import copies, transposes
from tinygraph.compiler.passes.blocks import chains
from tinygraph.compiler.passes.choices import masks, one_hot_rows
from tinygraph.compiler.passes.factors import factors
from tinygraph.compiler.passes.pooling import growing_after_pool
from tinygraph.compiler.passes.reductions import bare_reductions, row_maxima, row_sums, sums, totals
from tinygraph.compiler.passes.shapes import alike, extremes
from tinygraph.compiler.passes.simplify import aliases, common_subexpressions, constants, dead_code
from tinygraph.compiler.plan import Plan

Pass = Callable[[Plan], Plan]

PASSES: tuple[Pass, ...] = (dead_code, aliases, constants, uniform, aliases, common_subexpressions, transposes,
                            common_subexpressions, dead_code, growing_after_pool, sums, totals, row_sums, row_maxima,
                            broadcasts, common_subexpressions, dead_code, factors, bare_reductions, products,
                            one_hot_rows, masks, numbers, alike, extremes, copies, dead_code, chains)


def optimised(plan: Plan) -> Plan:
    """The plan after all passes, in their order."""
    for change in PASSES:
        plan = change(plan)
    return plan
