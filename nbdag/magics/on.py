"""``%%nbdag on NAME``: this cell runs on another machine; ``%nbdag on NAME``: all that follow; ``%nbdag here``."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from nbdag.magics.command import Command, Parser
from nbdag.magics.recording import recording_agent
from nbdag.magics.words import remotes

_ATTRIBUTE = "_nbdag_cells_run_on"  # on the shell: the transformer that sends the cells away


class SendAway:
    """An input transformer that puts ``%%nbdag on NAME`` above each cell which is not a magic of its own."""

    def __init__(self, name: str, words: str) -> None:
        self.name = name
        self.words = words

    def __call__(self, lines: list[str]) -> list[str]:
        first = next((line.strip() for line in lines if line.strip()), "")
        if not first or first.startswith(("%nbdag", "%%nbdag", "%load_ext", "%unload_ext")):
            return lines
        return [f"%%nbdag on {self.words}\n", *lines]


def _arguments(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="a machine that was named with %%nbdag remote add")
    parser.add_argument("--lazy", action="store_true", help="leave large results there until a cell here reads them")
    parser.add_argument("--whole", action="store_true", help="send the whole session, not only what the cell needs")


def _run(shell: Any, options: Namespace) -> None:
    from nbdag.remote.config import target_called

    target = target_called(options.name)
    stop(shell)
    words = [target.name, *(f"--{word}" for word in ("lazy", "whole") if getattr(options, word))]
    transformer = SendAway(target.name, " ".join(words))
    shell.input_transformers_cleanup.append(transformer)
    vars(shell)[_ATTRIBUTE] = transformer
    print(f"the next cells run on {target.name}; %nbdag here ends that")


def _run_cell(shell: Any, options: Namespace, cell: str) -> None:
    run_there(shell, options.name, cell, whole=options.whole, lazy=options.lazy)


def run_there(shell: Any, name: str, cell: str, whole: bool = False, lazy: bool = False) -> Any:
    """Run ``cell`` on the target ``name``; what the cell raised there is raised here. Returns the RemoteRun."""
    from nbdag.magics.telling import StatusLine
    from nbdag.portable.agent import recorder_of
    from nbdag.remote.model import CellRequest
    from nbdag.remote.sessions import session_on

    recording_agent()
    line = StatusLine(shell, name)
    session = session_on(shell, name, line)
    recorder: Any = recorder_of(shell)
    frame = recorder.top()
    if frame is not None and not frame.source.lstrip().startswith("%"):
        # %nbdag on NAME was said before: what ran is known by the text that ran.
        frame.source = f"%%nbdag on {name}\n{frame.source}"
        frame._nodes = None
    touched: frozenset[str] = frozenset()
    try:
        with _undisturbed(shell), recorder.listener.deaf():
            outcome = session.run(CellRequest(cell), whole=whole, lazy=lazy)
        touched = frozenset(outcome.run.needs.names) | frozenset(outcome.run.changed)
    except BaseException:
        line.failed()
        raise
    finally:
        if frame is not None and frame.open is not None:
            # What the statement says, get_ipython(), could reach anything; what happened is known better than that.
            frame.open.reached = frame.open.reachable = {name for name in touched if name in frame.open.before}
        # What the cell read and asked there is not seen here: as a cell that used the network, it is not replayed.
        sys.audit("socket.connect", None, session.target.url)
    line.done(outcome.run)
    if outcome.error is not None:
        raise outcome.error
    return outcome.run


class _undisturbed:
    """Cells are not sent away while nbdag itself looks at one."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._transformer = vars(shell).get(_ATTRIBUTE)

    def __enter__(self) -> None:
        if self._transformer in self._shell.input_transformers_cleanup:
            self._shell.input_transformers_cleanup.remove(self._transformer)

    def __exit__(self, *exception: object) -> None:
        if self._transformer is not None and vars(self._shell).get(_ATTRIBUTE) is self._transformer:
            self._shell.input_transformers_cleanup.append(self._transformer)


def stop(shell: Any) -> str:
    """Let cells run here again; the name of the machine that they ran on, "" if none."""
    transformer = vars(shell).pop(_ATTRIBUTE, None)
    if transformer is None:
        return ""
    if transformer in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(transformer)
    return str(transformer.name)


def _here_arguments(parser: Parser) -> None:
    pass


def _here(shell: Any, options: Namespace) -> None:
    name = stop(shell)
    print(f"cells run here again, no longer on {name}" if name else "cells run here already")


ON = Command(
    "on",
    "Run a cell, or all that follow, on another machine, with only the state they need.",
    _arguments,
    _run,
    _run_cell,
    completions={"name": remotes},
    details="examples:\n  %%nbdag on gpu       above a cell: this cell\n  %nbdag on gpu        all cells from now on",
    words="NAME",
    changes=True,
)

HERE = Command("here", "Run the next cells in this kernel again.", _here_arguments, _here)
