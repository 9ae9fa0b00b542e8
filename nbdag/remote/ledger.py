"""What the kernel on the other side holds, and in which version: what need not be sent again.

A group of linked variables is *held* if each of them is the same object with the same fingerprint as when the two sides
were last equal, and if the group was made of the same names then. The ledger belongs to one process there: when that
is started anew, a new one begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbdag.portable.delta import is_session_definition
from nbdag.portable.fingerprint import Fingerprint
from nbdag.portable.reach import can_change
from nbdag.remote.needs import Survey, fingerprint_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One variable as it was when both sides were equal. ``kept`` keeps a definition alive, so that its id stays its
    own. What has no fingerprint is never held: it is made anew each time.
    """

    address: int
    state: Fingerprint | None
    group: frozenset[str]
    kept: Any = None


@dataclass(slots=True)
class Ledger:
    """The entries of one process there, and the digests of the blobs that it has."""

    entries: dict[str, Entry] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)
    staying: set[str] = field(default_factory=set)  # names that are there and cannot come here
    left: set[str] = field(default_factory=set)  # names whose values stay there until they are read
    incarnation: str = ""  # the process
    process: str = ""  # what of the process state was sent, as text
    states: dict[str, str] = field(default_factory=dict)  # of the random generators, as both sides have them

    def held(self, names: Iterable[str], survey: Survey) -> frozenset[str]:
        """Those of ``names`` that are there as they are here."""
        groups = {survey.group_of(name) for name in names}
        return frozenset(name for group in groups if self._is_held(group, survey.items) for name in group)

    def _is_held(self, group: frozenset[str], items: Mapping[str, Any]) -> bool:
        for name in sorted(group):
            if self.is_there(items.get(name)):
                continue
            entry = self.entries.get(name)
            if entry is None or entry.group != group or name not in items or entry.address != id(items[name]):
                return False
            if not can_change(items[name]):
                if entry.kept is not items[name]:
                    return False
            elif entry.state is None or fingerprint_of(items[name]) != entry.state:
                return False
        return True

    def is_there(self, value: Any) -> bool:
        """Whether ``value`` stands for one that was left in this process."""
        return (
            bool(self.incarnation)
            and getattr(type(value), "__name__", "") == "RemoteValue"
            and (getattr(value, "incarnation", None) == self.incarnation)
        )

    def note(self, names: Iterable[str], survey: Survey) -> None:
        """These variables are equal on both sides now."""
        for name in names:
            value = survey.items[name]
            changeable = can_change(value)
            self.entries[name] = Entry(
                address=id(value),
                state=fingerprint_of(value) if changeable else None,
                group=survey.group_of(name),
                kept=value if not changeable or is_session_definition(value) else None,
            )

    def drop(self, names: Iterable[str]) -> tuple[str, ...]:
        """Forget these, whatever was linked with them, and what is no more; all the names that were dropped."""
        found = {member for name in names if name in self.entries for member in self.entries[name].group}
        found.update(name for name in names if name in self.entries)
        for name in found:
            self.entries.pop(name, None)
        return tuple(sorted(found))
