"""``%nbdag status``: what is recorded, and how to reach this kernel from a shell."""

from __future__ import annotations

import shlex
from argparse import Namespace
from typing import Any

from nbdag.analysis.agent_client import LocalAgent
from nbdag.magics.command import Command, Parser
from nbdag.magics.display import show
from nbdag.magics.recording import connection_file
from nbdag.report.tables import Page
from nbdag.report.units import say_seconds


def _arguments(parser: Parser) -> None:
    pass


def _run(shell: Any, options: Namespace) -> None:
    status = LocalAgent().command("status", {})
    kernel = connection_file(shell)

    def write(page: Page) -> None:
        if not status.get("recording"):
            page.line("nbdag does not record this session; %load_ext nbdag starts it", "warn")
            return
        page.line(
            f"nbdag records this session: {status.get('executions')} executions, {status.get('names')} names", "strong"
        )
        spent = float(status.get("hook_seconds") or 0.0)
        if spent:
            page.line(f"looking took {say_seconds(spent)} so far", "faint")
        if status.get("notebook"):
            page.line(f"notebook: {status['notebook']}")
        if kernel:
            page.line(f"from a shell: nbdag compile --kernel {shlex.quote(kernel)} --out DIR", whole=True)

    show(write, shell)


COMMAND = Command("status", "What is recorded, and how to reach this kernel from a shell.", _arguments, _run)
