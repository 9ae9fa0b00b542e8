"""nbdag: move, keep and understand a Jupyter session."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext nbdag``: record this kernel and offer ``%nbdag``."""
    _magics().load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext nbdag``: record no longer."""
    _magics().unload(shell)


def _magics() -> Any:
    # By name: whoever imports nbdag for its version must not import the magics with it.
    import importlib

    return importlib.import_module("nbdag.magics")
