"""For all tests."""

from __future__ import annotations

import os

# GNU readline, once anything imports it, tells child processes a width and height of its own, the workers of xdist too.
# Reports are as wide as their content unless COLUMNS says otherwise.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)
