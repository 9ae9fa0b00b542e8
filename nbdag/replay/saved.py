"""What a bundle tells of the session it holds, without running anything of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdag.errors import UsageError
from nbdag.portable.bundlefile import BundleDamaged, open_place
from nbdag.portable.history import read_history
from nbdag.replay.manifests import is_bundle, read_manifest


@dataclass(frozen=True, slots=True)
class SavedRun:
    """One execution of the saved session. ``started`` is unix time, 0.0 where nobody saw it."""

    source: str
    cell_id: str
    outcome: str
    count: int | None
    silent: bool
    nested: bool
    known: bool
    started: float
    seconds: float
    bound: frozenset[str]
    touched: frozenset[str]  # names it bound, changed or deleted, as far as it was recorded
    random_states: tuple[tuple[str, bytes], ...] = ()  # from before its first draw


@dataclass(frozen=True, slots=True)
class Saved:
    """A bundle's session: ``names`` come back, ``cells`` are (id, source) of its notebook where that was known."""

    path: Path
    notebook: str
    python: str
    names: frozenset[str]
    runs: tuple[SavedRun, ...]
    cells: tuple[tuple[str, str], ...]

    @property
    def script(self) -> Path:
        """What Python runs."""
        return self.path if self.path.is_file() else self.path / "restore.py"

    @property
    def last_ran(self) -> float:
        """When its last cell ended, unix time; 0.0 where nobody knows."""
        return max((run.started + run.seconds for run in self.runs if run.started), default=0.0)


def read_saved(path: Path) -> Saved:
    """The facts of the bundle at ``path``. Raises UsageError (no bundle there), IntegrityError."""
    if not path.exists():
        raise UsageError(f"{path}: no such bundle", "nbdag compile --out DIR writes one")
    if path.name == "restore.py" and path.is_file():
        path = path.parent
    if (path / "autosave.json").is_file():  # the directory of a session that saves itself (saving/directory.py)
        path = path / "latest"
        if not is_bundle(path):
            raise UsageError(f"{path.parent}: nothing was saved here yet", "the session ended before its first save")
    if not is_bundle(path):
        raise UsageError(f"{path} is not a bundle", "a bundle is the directory or .pyz file that nbdag compile wrote")
    data = read_manifest(path)
    try:
        history = read_history(open_place(str(path if path.is_file() else path / "restore.py")), data) or {}
    except BundleDamaged as error:
        from nbdag.errors import IntegrityError

        raise IntegrityError(f"{path}: {error}", "compile it again") from error
    provenance = data.get("provenance") or {}
    names = {name for group in data["groups"] for name in group["names"]} | set(data.get("replayed", ()))
    return Saved(
        path=path,
        notebook=str(provenance.get("notebook") or ""),
        python=str(provenance.get("python") or ""),
        names=frozenset(names),
        runs=tuple(_run(record, history.get("states", ())) for record in history.get("executions", ())),
        cells=tuple((str(given), str(source)) for given, source in history.get("cells", ())),
    )


def _run(record: Mapping[str, Any], states: Any) -> SavedRun:
    bound: set[str] = set()
    touched: set[str] = set()
    before: dict[str, bytes] = {}
    for statement in record["statements"]:
        bound = bound.union(statement["bound"]).difference(statement["deleted"])
        for field in ("bound", "deleted", "changed", "put_off"):
            touched.update(statement[field])
        for generator, number in statement["random_state"]:
            before.setdefault(generator, states[number])
    return SavedRun(
        source=record["source"],
        cell_id=record["cell_id"],
        outcome=record["outcome"],
        count=record["count"],
        silent=record["silent"],
        nested=record["parent"] is not None,
        known=record["known"],
        started=record["started"],
        seconds=record["seconds"],
        bound=frozenset(bound),
        touched=frozenset(touched),
        random_states=tuple(sorted(before.items())),
    )
