"""Paths as a reader in this directory would write them."""

from __future__ import annotations

import os


def relative(path: str) -> str:
    """``path`` without the working directory in front of it; as it is where it lies elsewhere."""
    here = os.getcwd() + os.sep
    return path[len(here) :] if path.startswith(here) else path
