"""The public namespace of linear algebra, with NumPy's names: ``tg.linalg.norm`` is ``np.linalg.norm``."""

from tinygraph.ops.linalg import matmul, norm, tensordot

__all__ = ["matmul", "norm", "tensordot"]
