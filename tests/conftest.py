"""What every test stands on: one BLAS thread, no screen, repeatable random examples, and what a machine may lack."""

from __future__ import annotations

import os

# Before NumPy is first imported, since its BLAS reads them only then. The workers of xdist already fill the cores; and
# with one thread a sum is added in one order, so that "bit-identical" can be tested.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["MPLBACKEND"] = "Agg"

import functools
import gc
import shutil
from pathlib import Path

import hypothesis
import numpy as np
import pytest

# "ci" is what runs unless --hypothesis-profile says otherwise: the same examples everywhere, so that a failure is the
# change's own doing. "long" looks for new ones, and remembers what it found.
hypothesis.settings.register_profile(
    "ci", max_examples=50, derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("long", max_examples=2000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("ci")


# What another package would bring: looked through for doctests, it would be found and stay registered.
collect_ignore = ["plugin"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, and say what would make it run."""
    if item.get_closest_marker("needs_dot") and shutil.which("dot") is None:
        # In CI nobody reads the list of skips, so there the pictures would go untested.
        if os.environ.get("CI"):
            pytest.fail("dot is missing in CI: scripts/bootstrap.sh should have installed Graphviz", pytrace=False)
        pytest.skip("needs Graphviz's dot")
    if item.get_closest_marker("needs_browser") and find_browser() is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing in CI: scripts/bootstrap.sh should have installed it", pytrace=False)
        pytest.skip("needs Chromium and Playwright: `make test` installs both where it may")
    if item.get_closest_marker("needs_mnist") and not os.environ.get("TINYGRAPH_DATA"):
        pytest.skip("needs MNIST in the folder that TINYGRAPH_DATA names")


@functools.cache
def find_browser() -> str | None:
    """Where Chromium is: the system's own, or else the one that Playwright installed."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    names = ("chromium", "google-chrome", "google-chrome-stable")
    for path in filter(None, map(shutil.which, names)):
        if not path.startswith("/snap/"):  # a snap sees no file of a test's
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of random numbers that starts the same in every test."""
    return np.random.default_rng(0)


@pytest.fixture
def mnist_folder() -> Path:
    """The folder with MNIST's four files; the test is skipped where there is none."""
    folder = os.environ.get("TINYGRAPH_DATA")
    if not folder:
        pytest.skip("needs MNIST in the folder that TINYGRAPH_DATA names")
    return Path(folder)


@pytest.fixture(scope="module")
def few_objects():
    """Let the collector forget what there is: a recording looks through all objects for tensors, and each time anew."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _ops_of_a_test_go_with_it():
    """An op that a test or a page's example registers is gone after it: the next one may use the name again."""
    import tinygraph as tg
    from tinygraph.core.op import COMPOSED, load_all
    load_all()  # a family that is imported in a test is not imported again after it
    before = {*tg.OPS, *COMPOSED}
    yield
    for registry in (tg.OPS, COMPOSED):
        for name in set(registry) - before:
            if not registry[name].function.__module__.startswith(("tinygraph", "numpy", "scipy")):
                del registry[name]
