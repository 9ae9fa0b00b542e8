"""What ran in a session, in which order, how long, and which pieces of state went from one cell to the next.

A *piece* is a co-variable as one execution left it: names that go together, and what they take when they are sent. Of a
cell run the history keeps digests, numbers and names, and a label for people; neither values nor texts::

    run 0   load     2.1 s                 makes 0
    run 1   reduce   9.0 s   needs 0       makes 1
    run 2   reduce   8.7 s   needs 0       makes 2      <- run again: another version of the same names

It comes from the traces of a recorded session (``recording.py``); the policies keep one of
the session they decide in. ``read_history`` and ``write_history`` are its file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbdag.errors import IntegrityError
from nbdag.remote.knowledge import Parameter

HISTORY_FORMAT = "nbdag-history"
HISTORY_VERSION = 1

LABEL_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Piece:
    """A co-variable in one version. ``bytes`` is what sending it takes.

    ``movable`` is False for what does not pickle. ``source`` pieces are functions, classes and modules: they go as
    text. ``guessed``: nobody measured this version, ``bytes`` is that of a later one.
    """

    names: tuple[str, ...]
    bytes: int
    movable: bool = True
    source: bool = False
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One cell run. ``needs`` and ``makes`` are indices of pieces; ``pause`` the seconds between the run before and it.

    ``cell`` and ``shape`` are digests of the text, with and without its numbers (``knowledge.read_cell``). ``stays`` is
    why it has to run where the session is, "" if it does not. ``session_bytes`` is what sending everything would take.
    ``target`` is where it ran, "" for here; it took ``there_seconds`` there, and ``seconds`` is then what a policy
    expected of it here.
    """

    cell: str
    shape: str
    label: str
    seconds: float
    pause: float = 0.0
    needs: tuple[int, ...] = ()
    makes: tuple[int, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    stays: str = ""
    session_bytes: int = 0
    target: str = ""
    there_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class History:
    """One session. ``origin``: "recorded" (a survey after each cell), "trace" (one survey at the end) or "generated".

    ``last`` are the pieces that are the session's variables at its end.
    """

    name: str
    runs: tuple[Run, ...]
    pieces: tuple[Piece, ...]
    last: tuple[int, ...] = ()
    origin: str = "recorded"
    notebook: str = ""

    def needed_bytes(self, run: Run) -> int:
        """What the pieces take that a run needs."""
        return sum(self.pieces[piece].bytes for piece in run.needs)


# ------------------------------------------------------------------------------------------------ the file


def write_history(history: History, path: str | os.PathLike[str]) -> None:
    """Write a history to its file, whole or not at all, readable by its owner; the same one gives the same bytes."""
    document = {"format": HISTORY_FORMAT, "version": HISTORY_VERSION, **asdict(history)}
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".nbdag-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=None, sort_keys=True, separators=(",", ":"))
            file.write("\n")
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def read_history(path: str | os.PathLike[str]) -> History:
    """The history in a file. Raises IntegrityError where it is damaged, FileNotFoundError where it is not there."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not JSON ({error})") from None
    return history_from_document(document, path)


def history_from_document(document: object, path: str | os.PathLike[str] = "the history") -> History:
    """The history that a parsed document holds; IntegrityError names what is wrong with it."""
    if not isinstance(document, dict) or document.get("format") != HISTORY_FORMAT:
        raise _damaged(path, f"its format is not {HISTORY_FORMAT!r}")
    if document.get("version") != HISTORY_VERSION:
        raise _damaged(path, f"its version is {document.get('version')!r}; this nbdag reads {HISTORY_VERSION}")
    for field in ("runs", "pieces", "last"):
        if not isinstance(document.get(field), list):
            raise _damaged(path, f"{field} is not a list")
    try:
        pieces = tuple(_piece(item) for item in document["pieces"])
        history = History(
            name=str(document["name"]),
            runs=tuple(_run(item) for item in document["runs"]),
            pieces=pieces,
            last=_indices(document["last"]),
            origin=str(document.get("origin", "recorded")),
            notebook=str(document.get("notebook", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from None
    _check(history, path)
    return history


def _check(history: History, path: str | os.PathLike[str]) -> None:
    """Pieces exist, and are made once, before or without any run that needs them."""
    count = len(history.pieces)
    maker = {piece: index for index, run in enumerate(history.runs) for piece in run.makes}
    if sum(len(run.makes) for run in history.runs) != len(maker):
        raise _damaged(path, "a piece is made by two runs")
    for index, run in enumerate(history.runs):
        for piece in (*run.needs, *run.makes, *history.last):
            if not 0 <= piece < count:
                raise _damaged(path, f"run {index} names piece {piece}, which is not there")
        late = [piece for piece in run.needs if maker.get(piece, -1) >= index]
        if late:
            raise _damaged(path, f"run {index} needs piece {late[0]}, which is made later")


def _piece(item: Mapping[str, Any]) -> Piece:
    size = int(item["bytes"])
    if size < 0:
        raise ValueError(f"a piece of {size} bytes")
    flags = {name: bool(item.get(name, default)) for name, default in _PIECE_FLAGS}
    return Piece(tuple(map(str, item["names"])), size, **flags)


_PIECE_FLAGS = (("movable", True), ("source", False), ("guessed", False))


def _run(item: Mapping[str, Any]) -> Run:
    seconds, pause = float(item["seconds"]), float(item.get("pause", 0.0))
    if not (0 <= seconds < float("inf") and 0 <= pause < float("inf")):
        raise ValueError(f"a run of {seconds} s after a pause of {pause} s")
    return Run(
        cell=str(item["cell"]),
        shape=str(item["shape"]),
        label=str(item["label"]),
        seconds=seconds,
        pause=pause,
        needs=_indices(item.get("needs", ())),
        makes=_indices(item.get("makes", ())),
        parameters=tuple(Parameter(str(one["name"]), float(one["value"])) for one in item.get("parameters", ())),
        stays=str(item.get("stays", "")),
        session_bytes=int(item.get("session_bytes", 0)),
        target=str(item.get("target", "")),
        there_seconds=float(item.get("there_seconds", 0.0)),
    )


def _indices(items: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(item) for item in items)


def _damaged(path: str | os.PathLike[str], what: str) -> IntegrityError:
    return IntegrityError(f"{os.fspath(path)} is no session history that can be read: {what}", "record it again")
