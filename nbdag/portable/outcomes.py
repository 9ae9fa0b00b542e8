"""How restore.py is run where nothing is said, and the statuses it ends with."""

from __future__ import annotations

from typing import Sequence

EXIT_COMPLETE, EXIT_PARTIAL, EXIT_USAGE, EXIT_ENVIRONMENT, EXIT_INTEGRITY, EXIT_INTERRUPTED = 0, 1, 2, 4, 5, 130


class Options:
    """How to restore; these are the defaults."""

    only: Sequence[str] = ()
    dry_run = False
    list = False
    source = False
    json = False
    no_replay = False
    force = False
    eager = False
    verify = False
    verbose = False
    kernel = False
    install_kernel = ""
