"""SciPy's names: ``tg.scipy.special.erf`` is ``scipy.special.erf``, ``tg.scipy.stats.norm.logpdf`` has its signature.

SciPy itself is imported by the first call that needs it, and comes with ``pip install 'tinygraph[scipy]'``.
"""

from tinygraph.scipy import linalg, special, stats

__all__ = ["linalg", "special", "stats"]
