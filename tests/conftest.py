"""For all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

# GNU readline, once anything imports it, tells child processes a width and height of its own, the workers of xdist too.
# Reports are as wide as their content unless COLUMNS says otherwise.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)


@pytest.fixture(autouse=True)
def _figures_closed() -> Iterator[None]:
    """Tests that draw in this process leave no open figure for the next one to see."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
