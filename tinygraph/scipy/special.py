"""SciPy's special functions under SciPy's names, with derivatives.

>>> import tinygraph as tg
>>> tg.grad(tg.scipy.special.expit)(0.0)
np.float64(0.25)
"""

from tinygraph.ops.bessel import i0e, i1, i1e, iv, ive, j0, j1, jv, k0, k1, kv, sinc, y0, y1, yn, yv
from tinygraph.ops.bessel import scipy_i0 as i0
from tinygraph.ops.gamma import (
    beta,
    betainc,
    betaln,
    digamma,
    gamma,
    gammainc,
    gammaincc,
    gammaln,
    gammasgn,
    multigammaln,
    polygamma,
    rgamma,
    stdtr,
    zeta,
)
from tinygraph.ops.special import (
    entr,
    erf,
    erfc,
    erfcinv,
    erfcx,
    erfinv,
    expit,
    kl_div,
    log_expit,
    log_ndtr,
    log_softmax,
    logit,
    logsumexp,
    ndtr,
    ndtri,
    rel_entr,
    softmax,
    xlog1py,
    xlogy,
)

jn, psi = jv, digamma

__all__ = [
    "entr", "erf", "erfc", "erfcinv", "erfcx", "erfinv", "expit", "kl_div", "log_expit", "log_ndtr", "log_softmax",
    "logit", "logsumexp", "ndtr", "ndtri", "rel_entr", "softmax", "xlog1py", "xlogy",
    "beta", "betainc", "betaln", "digamma", "gamma", "gammainc", "gammaincc", "gammaln", "gammasgn", "multigammaln",
    "polygamma", "psi", "rgamma", "stdtr", "zeta",
    "i0", "i0e", "i1", "i1e", "iv", "ive", "j0", "j1", "jn", "jv", "k0", "k1", "kv", "sinc", "y0", "y1", "yn", "yv",
]
