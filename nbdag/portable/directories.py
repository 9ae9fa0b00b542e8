"""The working directory, which may be deleted while somebody works in it."""

from __future__ import annotations

import os


def current_directory() -> str:
    """The working directory, "" when it was deleted."""
    try:
        return os.getcwd()
    except OSError:
        return ""
