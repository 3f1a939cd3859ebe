"""The same work on tinygraph and on its peers, interleaved in one process.

Every side gets one BLAS thread: two pools of threads on the same cores spin each other to a halt. The setting stands
here, because it must come before NumPy is first imported.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
