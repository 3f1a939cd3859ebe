"""The public namespace of linear algebra, with NumPy's names: ``tg.linalg.norm`` is ``np.linalg.norm``."""

from tinygraph.core.errors import LinAlgError
from tinygraph.ops.decompositions import cholesky, eig, eigh, eigvals, eigvalsh, qr, svd, svdvals
from tinygraph.ops.determinants import det, slogdet
from tinygraph.ops.linalg import multi_dot, vecdot
from tinygraph.ops.matrix_functions import matrix_power
from tinygraph.ops.norms import cond, matrix_norm, norm, vector_norm
from tinygraph.ops.solving import inv, lstsq, pinv, solve, tensorinv, tensorsolve
from tinygraph.ops.stacks import cross, diagonal, matmul, matrix_rank, matrix_transpose, outer, tensordot, trace

__all__ = ["LinAlgError",
           "cholesky", "eig", "eigh", "eigvals", "eigvalsh", "qr", "svd", "svdvals",
           "det", "slogdet",
           "multi_dot", "vecdot",
           "matrix_power",
           "cond", "matrix_norm", "norm", "vector_norm",
           "inv", "lstsq", "pinv", "solve", "tensorinv", "tensorsolve",
           "cross", "diagonal", "matmul", "matrix_rank", "matrix_transpose", "outer", "tensordot", "trace"]
