"""What one save knows that the next one need not find out again: encoded values that have not changed since.

    save 1   a: 3f2c... -> its head and blobs        b: 91ab... -> ...
    save 2   a: 3f2c...    the same: taken over      b: 77d0...    encoded anew

A print is the recorder's fingerprint of a co-variable, which sees the slightest change and means nothing outside of one
process and its copies; so the memory belongs to one session. A value that holds functions or classes of the session is
pickled by their names: it is taken over only if every name still stands for the same object. The proof of the bundle,
which compares what comes back with what is there, is spared for plain values that were proven in these very bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbdag import __version__
from nbdag.analysis.session_files import write_file
from nbdag.model.bundle import Verdict
from nbdag.replay.verify import IDENTICAL
from nbdag.saving.directory import LATEST, MEMORY
from nbdag.saving.snapshots import Snapshot

PLAIN_RESTORERS = frozenset(
    {
        "array",
        "attribute",
        "categorical",
        "datetime_index",
        "datetimes",
        "dtype",
        "frame",
        "intervals",
        "masked_array",
        "masked_column",
        "memoryview",
        "named",
        "object_array",
        "object_elements",
        "object_view",
        "patch",
        "path",
        "periods",
        "random_state",
        "rest",
        "scalar",
        "series",
        "string_array",
        "text",
    }
)
"""Restorers of values that hold no code of the session."""


class RememberingSnapshot:
    """A snapshot that encodes only what has changed since the last save of the same session."""

    def __init__(self, snapshot: Snapshot, directory: Path) -> None:
        self._snapshot = snapshot
        self._directory = directory
        self._session = str(snapshot.hello["session"])
        self._before = _read(directory / MEMORY, self._session)
        self._now: dict[str, Any] = {}
        self._prints: dict[str, str | None] = {}
        self.unchanged: frozenset[str] = frozenset()

    def find_unchanged(self) -> frozenset[str]:
        """The names of plain values that are what they were at the last save, and were proven then."""
        groups = [
            json.loads(key) for key, entry in self._before.items() if entry.get("proven") and _is_plain(entry["index"])
        ]
        if groups:
            self._ask_prints(groups, ())
        same = [group for group in groups if self._before[_key(group)]["print"] == self._prints[_key(group)]]
        self.unchanged = frozenset(name for group in same for name in group)
        return self.unchanged

    def _ask_prints(self, groups: Sequence[Sequence[str]], by_name: Sequence[str]) -> dict[str, int]:
        """Have the prints of these groups; where the functions and classes of ``by_name`` are."""
        missing = [list(group) for group in groups if _key(group) not in self._prints]
        said = self._snapshot.command("prints", {"groups": missing, "by_name": list(by_name)})
        self._prints.update(zip(map(_key, missing), said["prints"], strict=True))
        return dict(said["by_name"])

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """As ``analysis.agent_client.Agent.command``."""
        if name == "encode" and arguments["groups"]:
            return self._encode(arguments)
        if name == "digest" and arguments.get("names") is None:
            arguments = {**arguments, "without": sorted(self.unchanged)}
        return self._snapshot.command(name, arguments)

    def _encode(self, arguments: dict[str, Any]) -> dict[str, Any]:
        groups: list[list[str]] = arguments["groups"]
        by_name = self._ask_prints(groups, arguments["by_name"])
        prints = self._prints
        kept: dict[str, Any] = {}
        known = json.loads(Path(arguments["known"]).read_text(encoding="utf-8")) if arguments.get("known") else {}
        for group in groups:
            entry = self._before.get(_key(group))
            if entry is not None and _still_holds(entry, prints[_key(group)], by_name, known):
                kept[_key(group)] = entry
        answer: dict[str, Any] = {"path": arguments["path"], "groups": len(groups)}
        missing = [group for group in groups if _key(group) not in kept]
        made: list[Any] = []
        if missing:
            answer = self._snapshot.command("encode", {**arguments, "groups": missing})
            if "refused" in answer:
                return answer
            made = json.loads(Path(arguments["path"]).read_text(encoding="utf-8"))["groups"]
        fresh = dict(zip(map(_key, missing), made, strict=True))
        indices = []
        for group in groups:
            key = _key(group)
            index = fresh.get(key) or kept[key]["index"]
            indices.append(index)
            if prints[key] is not None and "error" not in index:
                self._now[key] = {"print": prints[key], "by_name": by_name, "index": index}
        write_file(Path(arguments["path"]), json.dumps({"groups": indices}))
        return answer

    def keep(self, verdict: Verdict) -> None:
        """Remember what was encoded, for the next save: the bundle is in its place, and ``verdict`` says of it."""
        good = {one.name for one in verdict.comparisons if one.result == IDENTICAL} | self.unchanged
        tables: list[dict[str, int]] = []
        groups = {}
        for key, entry in self._now.items():
            if entry["by_name"] not in tables:
                tables.append(entry["by_name"])
            proven = good.issuperset(json.loads(key))
            groups[key] = {**entry, "by_name": tables.index(entry["by_name"]), "proven": proven}
        document = {"session": self._session, "nbdag": __version__, "tables": tables, "groups": groups}
        write_file(self._directory / MEMORY, json.dumps(document))


def _still_holds(entry: Mapping[str, Any], now: str | None, by_name: Mapping[str, int], known: Any) -> bool:
    index = entry["index"]
    if now is None or entry["print"] != now:
        return False
    if not _is_plain(index) and entry["by_name"] != by_name:
        return False
    return all(part["blob"] in known for part in [index["head"], *index["regions"]] if "blob" in part)


def _is_plain(index: Mapping[str, Any]) -> bool:
    """Whether a value holds no code of the session: then its bytes mean the same whatever is defined anew."""
    return not index["needs"] and PLAIN_RESTORERS.issuperset(index["restorers"])


def _key(group: Sequence[str]) -> str:
    return json.dumps(list(group))


def _read(path: Path, session: str) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said["session"] != session or said["nbdag"] != __version__ or not (path.parent / LATEST).is_dir():
            return {}
        return {key: {**entry, "by_name": said["tables"][entry["by_name"]]} for key, entry in said["groups"].items()}
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return {}
