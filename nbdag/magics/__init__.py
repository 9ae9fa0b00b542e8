"""``%load_ext nbdag`` and ``%nbdag``: nbdag inside the kernel whose session it moves.

The recorder runs in process, the very module that is sent into other kernels. Errors become text here (``dispatch.py``)
and in cli.py. One module per command, listed in ``registry.py``.
"""

from __future__ import annotations

from typing import Any

from nbdag.analysis.agent_client import LocalAgent
from nbdag.magics import completion
from nbdag.magics.dispatch import run_line, told

__all__ = ["load", "nbdag_magic", "unload"]


def load(shell: Any) -> None:
    """Start to record ``shell`` and register ``%nbdag`` and ``%%nbdag``."""
    status = told(lambda: LocalAgent().command("start", {"late": True}))
    shell.register_magic_function(nbdag_magic, magic_kind="line_cell", magic_name="nbdag")
    completion.install(shell)
    known = int(status.get("executions", 0))
    before = f" ({known} earlier cells are known by their text only)" if known > 1 else ""
    print(f"nbdag records this session{before}; %nbdag compile DIR writes it as a bundle")


def unload(shell: Any) -> None:
    """Stop to record and take ``%nbdag`` away."""
    told(lambda: LocalAgent().command("stop", {}))
    completion.remove(shell)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("nbdag", None)
    print("nbdag no longer records this session")


def nbdag_magic(line: str, cell: str | None = None) -> None:
    """Move this session to another machine: %nbdag help shows the commands."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    told(lambda: run_line(shell, line, cell))
