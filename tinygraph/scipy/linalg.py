"""``scipy.linalg``'s functions of matrices, Sylvester's equation and triangular solutions: ``tg.scipy.linalg.expm``."""

from tinygraph.ops.matrix_functions import expm, solve_sylvester, solve_triangular, sqrtm

__all__ = ["expm", "solve_sylvester", "solve_triangular", "sqrtm"]
