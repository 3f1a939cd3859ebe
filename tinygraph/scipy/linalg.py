"""``scipy.linalg``'s functions of matrices and triangular solutions: ``tg.scipy.linalg.expm``."""

from tinygraph.ops.matrix_functions import expm, solve_triangular, sqrtm

__all__ = ["expm", "solve_triangular", "sqrtm"]
