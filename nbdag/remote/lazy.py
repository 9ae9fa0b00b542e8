"""Large results that stay where they were made until a cell here reads them (``%%nbdag on NAME --lazy``).

    %%nbdag on gpu --lazy
    images = load(); features = extract(images)      # images: a placeholder here, the value there

    len(features)                                    # fetched before this cell begins
    %%nbdag on gpu
    model.fit(features)                              # not fetched: it is there

A placeholder is never seen by code of the session: before a cell runs, what its text and the functions behind it
mention is fetched. It holds no value and no connection.
"""

from __future__ import annotations

import sys
from typing import Any

from nbdag.errors import NbdagError, RemoteError, UsageError
from nbdag.remote.needs import names_read, survey_session

LAZY_BYTES = 10_000_000  # results from this size on stay there: less is fetched sooner than it is asked for
_HOOK = "_nbdag_lazy_hook"  # on the shell
_SENT_AWAY = tuple(f"get_ipython().run_cell_magic('nbdag', '{words}" for words in ("on ", "migrate go"))
_ALL_NEEDED = ("%nbdag compile", "%nbdag plan", "%nbdag explain", "%nbdag autosave", "%nbdag graph")


class RemoteValue:
    """Stands for a variable that is on ``target``, in the process ``incarnation``."""

    __slots__ = ("incarnation", "kind", "name", "size", "target")

    def __init__(self, target: str, incarnation: str, name: str, kind: str, size: int) -> None:
        self.target = target
        self.incarnation = incarnation
        self.name = name
        self.kind = kind
        self.size = size

    def __repr__(self) -> str:
        return f"<{self.kind} of {self.size} bytes on {self.target}; a cell that reads {self.name} fetches it>"

    def __reduce__(self) -> Any:
        raise TypeError(f"the value is on {self.target}; a cell that reads {self.name} fetches it")


def placeholders(shell: Any) -> dict[str, RemoteValue]:
    """The variables whose values are elsewhere."""
    return {name: value for name, value in list(shell.user_ns.items()) if type(value) is RemoteValue}


def watch_cells(shell: Any) -> None:
    """From now on, fetch what a cell reads before it runs."""
    if _HOOK not in vars(shell):

        def fetch_what_is_read(info: Any) -> None:
            if placeholders(shell):
                _fetch_for_cell(shell, info)

        vars(shell)[_HOOK] = fetch_what_is_read
        shell.events.register("pre_run_cell", fetch_what_is_read)


def fetch(shell: Any, names: list[str]) -> None:
    """Put the values in the place of their placeholders. Raises NbdagError where one cannot be had any more."""
    from nbdag.remote.sessions import sessions_of

    found = placeholders(shell)
    by_target: dict[str, list[str]] = {}
    for name in names:
        by_target.setdefault(found[name].target, []).append(name)
    for target, wanted in by_target.items():
        session = sessions_of(shell).get(target)
        there = session is not None and session.connection is not None
        gone = [name for name in wanted if not there or found[name].incarnation != session.connection.incarnation]  # type: ignore[union-attr]
        if gone or session is None:
            raise RemoteError(
                f"{', '.join(gone)} was left on {target}, and the process there is gone: the value is lost",
                "make it again; without --lazy results come back at once",
            )
        session.fetch_values(wanted)


def _fetch_for_cell(shell: Any, info: Any) -> None:
    source = str(getattr(info, "raw_cell", "") or "")
    text = str(getattr(info, "transformed_cell", "") or source).lstrip()
    if text.startswith(_SENT_AWAY):
        return  # what it needs may be there
    here = placeholders(shell)
    if source.lstrip().startswith(_ALL_NEEDED):
        wanted = sorted(here)
    elif source.lstrip().startswith("%nbdag"):
        return
    else:
        try:
            wanted = sorted(names_read(shell, source, survey_session(shell)).names & here.keys())
        except UsageError:  # it will not run either
            return
    if not wanted:
        return
    print(f"nbdag: fetching {', '.join(wanted)} from {here[wanted[0]].target}", file=sys.stderr)
    try:
        fetch(shell, wanted)
    except NbdagError as error:
        print(f"nbdag: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else ""), file=sys.stderr)
