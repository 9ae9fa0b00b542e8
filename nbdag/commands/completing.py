"""What the shell offers behind TAB: notebooks, kept kernels, kernelspecs. Only what a look at a directory tells."""

from __future__ import annotations

import os
from contextlib import suppress

_SUFFIXES = (".ipynb", ".py")


def complete_notebook(incomplete: str) -> list[str]:
    """The notebooks whose path begins like this; nothing, for the shell's own completion, where a directory does, too.

    A script counts as a notebook only where no .ipynb file fits: most scripts are none.
    """
    folder, begun = os.path.split(incomplete)
    try:
        with os.scandir(folder or ".") as entries:
            fitting = [entry for entry in entries if entry.name.startswith(begun) and not entry.name.startswith(".")]
            if any(entry.is_dir() for entry in fitting):
                return []
    except OSError:
        return []
    for suffix in _SUFFIXES:
        found = sorted(os.path.join(folder, entry.name) for entry in fitting if entry.name.endswith(suffix))
        if found:
            return found
    return []


def complete_session(incomplete: str) -> list[str]:
    """The kernels kept in this directory whose id begins like this."""
    from nbdag.commands.options import STATE_DIRECTORY

    with suppress(OSError):
        return sorted(name for name in os.listdir(STATE_DIRECTORY / "sessions") if name.startswith(incomplete))
    return []


def complete_kernel_name(incomplete: str) -> list[str]:
    """The kernelspecs whose name begins like this."""
    from nbdag.analysis.kernelspecs import kernelspecs

    return sorted(name for name in kernelspecs().find_kernel_specs() if name.startswith(incomplete))
