"""SciPy's special functions."""

from __future__ import annotations

import numpy as np
import scipy.special

from cases.samples import above_one, binary, cplx, each, empty, inside, positive, real, unary
from tinygraph.testing import Case

_unit = inside(2, 3) / 2 + 0.5
_between_poles = -np.array([0.4, 1.55, 2.5])
_orders = [Case(2, positive(2, 3)), Case(np.array([[0], [3]]), positive(3)), Case(0, positive())]
_real_orders = [Case(0.5, positive(2, 3)), Case(np.array([[1.5], [0.0]]), positive(3)), *_orders]


def on_numbers(name, *cases):
    """The same cases held against SciPy's function, which knows no Tensors."""
    return [case.against(getattr(scipy.special, name)) for case in cases]


CASES = {
    **each("erf erfc erfcx log_expit expit ndtr log_ndtr", unary(real)),
    "log_ndtr": [*unary(real), Case(np.array([-50.0, -5.0, 5.0, 30.0]))],
    "erfinv": unary(inside), "erfcinv": [Case(2 * _unit)], "ndtri": [Case(_unit)], "logit": [Case(_unit)],
    "entr": unary(positive), "rel_entr": binary(positive, positive), "kl_div": binary(positive, positive),
    **each("xlogy xlog1py", [*binary(real, positive), Case(cplx(3), cplx(2, 1))]),
    **each("gamma rgamma gammaln digamma", [*unary(positive), Case(_between_poles)]), "gammasgn": unary(real),
    "zeta": [Case(3, positive(2, 3)), Case(np.array([[2.0], [4.5]]), positive(3)),
             *on_numbers("zeta", Case(np.array([2.5, 3.0])))],
    "polygamma": on_numbers("polygamma", Case(1, positive(2, 3)), Case(0, positive(3)), Case(3, _between_poles),
                            Case(2, positive()), Case(1, empty(0, 2)),
                            # Integers and float32 make float64, as everywhere.
                            Case(np.array([[0], [2]]), positive(3)).without("float32")),
    "multigammaln": on_numbers("multigammaln", Case(above_one(2, 3), 3), Case(above_one(), 1)),
    **each("beta betaln", binary(positive, positive)),
    **each("gammainc gammaincc", binary(positive, positive)),
    "betainc": [Case(positive(2, 3), positive(3), _unit), Case(2.0, positive(2, 3), _unit), Case(positive(3), 1, 0.25)],
    "stdtr": [Case(positive(2, 3), real(3)), Case(3, real(2, 3))],
    **each("j0 j1 scipy_i0 i0e i1 i1e", [*unary(real)]), **each("y0 y1 k0 k1", unary(positive)),
    "yn": _orders, **each("jv yv iv ive kv", _real_orders),
    "scipy.special.logsumexp": on_numbers(
        "logsumexp", Case(real(2, 3)), Case(real(2, 3), 0, keepdims=True), Case(real()), Case(cplx(3)),
        Case(real(2, 3), 1, positive(3)), Case(real(2, 3), b=real(2, 3), return_sign=True), Case(real(2, 3), (0, 1)),
        Case(real(3), b=np.array([0.0, 2.0, 1.5])), Case(real(3), 0, return_sign=True),
        Case(real(3) + 800, b=positive(3))),
    **{f"scipy.special.{name}": on_numbers(name, Case(real(2, 3)), Case(real(2, 3), 0), Case(real(2, 3, 2), (0, -1)))
       for name in ("softmax", "log_softmax")},
}
