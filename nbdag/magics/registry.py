"""Which ``%nbdag`` commands there are. A new one is a module of this package and a line here."""

from __future__ import annotations

from nbdag.magics import autosave, compile, graph, migrate, on, plan, remote, restore, status
from nbdag.magics.command import Command

COMMANDS: tuple[Command, ...] = (
    status.COMMAND,
    plan.PLAN,
    plan.EXPLAIN,
    compile.COMMAND,
    autosave.COMMAND,
    restore.COMMAND,
    graph.COMMAND,
    remote.COMMAND,
    on.ON,
    on.HERE,
    migrate.COMMAND,
)
