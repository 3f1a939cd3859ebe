"""docs/ops.md is what the cards of the ops and the suite's cases say."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_is_what_the_cards_say():
    pytest.importorskip("scipy", reason="SciPy is not installed: pip install 'tinygraph[scipy]'")
    if not hasattr(np, "matvec"):
        pytest.skip("the page names functions that came with NumPy 2.2")
    page = runpy.run_path(str(DOCS / "ops_table.py"))["page"]()
    written = (DOCS / "ops.md").read_text(encoding="utf-8")
    assert page == written, "`python docs/ops_table.py` writes docs/ops.md afresh"
