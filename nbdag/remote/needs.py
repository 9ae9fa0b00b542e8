"""Which variables a cell needs before it can run elsewhere, and how large they and the whole session are.

    rate = 2; table = [...]; big = np.zeros(10**9)
    def price(row): return row * rate
    cell:   total = sum(price(row) for row in table)        needs price, table, and rate through price; not big

Names are those that the cell's code mentions, closed over what the functions, methods and instances behind them
mention, and over co-variables. A name that the cell certainly binds before anything could read it is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbdag.analysis.cells import analyze_cell
from nbdag.errors import UsageError
from nbdag.model.facts import AccessKind, Certainty
from nbdag.portable.agent import recorder_of
from nbdag.portable.codescan import scan_code_now
from nbdag.portable.delta import is_session_definition
from nbdag.portable.encode import measure_group
from nbdag.portable.fingerprint import Fingerprint, fingerprint
from nbdag.portable.namespace import session_items
from nbdag.portable.reach import can_change
from nbdag.portable.survey import by_name_table, is_importable_module, linked_names

_TOP_LEVEL_AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """The session at one moment: its variables, and which of them are linked."""

    items: Mapping[str, Any]
    groups: Mapping[str, frozenset[str]]  # of every name that is in a group of two or more

    def group_of(self, name: str) -> frozenset[str]:
        """The names that share state with ``name``, itself included."""
        return self.groups.get(name) or frozenset((name,))

    def closed(self, names: Iterable[str]) -> frozenset[str]:
        """``names`` and all that share state with one of them."""
        return frozenset(member for name in names for member in self.group_of(name))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a cell reads: ``names`` of the session, closed over functions and co-variables; see ``model.Needs``.

    ``mentioned`` are those that it could get at without what merely shares state with them.
    """

    names: frozenset[str]
    mentioned: frozenset[str]
    opaque: bool
    unknown: tuple[str, ...]


def survey_session(shell: Any, touched: Iterable[str] = ()) -> Survey:
    """The variables of ``shell`` and their links as they are now.

    The recorder has followed the links from statement to statement. ``touched`` are names that were given something
    else in the statement that runs now; those, and those that are seen to be bound to something else, are looked at
    again. Raises UsageError where nothing is recorded.
    """
    recorder = recorder_of(shell)
    if recorder is None:
        raise UsageError("nbdag does not record this session", "%load_ext nbdag")
    recorder.guarded(recorder.look_at_the_rest)
    items = session_items(shell, shell.user_ns)
    watch = recorder.watch
    if watch.haze.names:  # a value that does not let itself be looked at
        definitions = by_name_table(recorder, items)
        linked = linked_names({name: value for name, value in items.items() if can_change(value)}, definitions)
        return Survey(items, _groups_by_name(linked))
    moved = {name for name, value in items.items() if watch.known.address(name) != id(value)}
    moved |= {name for name in watch.grouping.reaches if name not in items} | set(touched)

    def look() -> None:
        watch.forget(sorted(moved))
        recorder.reacher.forget(moved)
        watch.link(recorder.reacher, items, sorted(moved & items.keys()))

    if moved:
        recorder.guarded(look)
    return Survey(items, _groups_by_name([*map(list, watch.groups), *_held_twice(items)]))


def _held_twice(items: Mapping[str, Any]) -> list[list[str]]:
    """The names of each function or class of the session that several names stand for."""
    names: dict[int, list[str]] = {}
    for name, value in items.items():
        if is_session_definition(value):
            names.setdefault(id(value), []).append(name)
    return [found for found in names.values() if len(found) > 1]


def _groups_by_name(groups: Iterable[Iterable[str]]) -> dict[str, frozenset[str]]:
    """Name -> its group, of groups that may overlap."""
    found: dict[str, frozenset[str]] = {}
    for members in groups:
        joined = frozenset(members).union(*(found[name] for name in members if name in found))
        if len(joined) > 1:
            found.update(dict.fromkeys(joined, joined))
    return found


def names_read(shell: Any, source: str, survey: Survey) -> Reading:
    """What running ``source`` in ``shell`` may read. Raises UsageError where it does not parse."""
    recorder: Any = recorder_of(shell)
    text = shell.transform_cell(source)
    try:
        code = compile(text, "<cell>", "exec", _TOP_LEVEL_AWAIT, True)
    except (SyntaxError, ValueError) as fault:
        raise UsageError(f"the cell does not parse: {fault}") from None
    scanned = scan_code_now(code)
    surely_bound = names_bound_first(source, frozenset(survey.items)) - scanned.inner_loads - scanned.words
    scanned = scanned._replace(loads=scanned.loads - surely_bound)
    reached = recorder.reacher.reach_code(scanned, survey.items)
    unknown = sorted(scanned.loads - set(survey.items))
    opaque = scanned.opaque and len(reached.names) == len(survey.items)
    mentioned = frozenset(reached.names) | _classes_around(reached.names, survey.items)
    return Reading(survey.closed(mentioned), mentioned, opaque, tuple(unknown))


def _classes_around(names: Iterable[str], items: Mapping[str, Any]) -> frozenset[str]:
    """The classes that the classes of these instances were defined in: those are part of them."""
    kinds = (type(items[name]) for name in names if name in items)
    roots = {kind.__qualname__.partition(".")[0] for kind in kinds if kind.__module__ == "__main__"}
    return frozenset(root for root in roots if is_session_definition(items.get(root)))


def names_bound_first(source: str, session: frozenset[str]) -> frozenset[str]:
    """Names that the first statement of ``source`` which mentions them binds, whatever happens, and does not read."""
    settled: set[str] = set()
    touched: set[str] = set()
    for statement in analyze_cell(source, session).statements:
        bound = {
            access.name
            for access in statement.accesses
            if access.kind is AccessKind.BIND and access.certainty is Certainty.MUST and not access.deferred
        }
        other = {
            access.name
            for access in statement.accesses
            if access.deferred or access.kind is not AccessKind.BIND or access.certainty is not Certainty.MUST
        }
        if statement.opaque:
            break
        settled |= bound - other - touched
        touched |= bound | other
    return frozenset(settled)


@dataclass(slots=True)
class Sizes:
    """Stored bytes of co-variables, measured once per version; a version is what the recorder last saw."""

    _known: dict[frozenset[str], tuple[tuple[Any, ...], int]] = field(default_factory=dict)

    def total(self, shell: Any, survey: Survey, names: Iterable[str], exact: bool) -> int:
        """What ``names`` take together, each group once.

        Unless ``exact``, a variable that shares nothing counts with the bytes that its fingerprint has covered.
        """
        recorder = recorder_of(shell)
        prints: Mapping[str, Any] = recorder.watch.prints if recorder is not None else {}
        groups = {survey.group_of(name) for name in names}
        return sum(self._of(group, survey, shell.user_ns, prints, exact) for group in groups)

    def _of(
        self, group: frozenset[str], survey: Survey, namespace: dict[str, Any], prints: Mapping[str, Any], exact: bool
    ) -> int:
        values = {name: survey.items[name] for name in sorted(group) if name in survey.items}
        if all(is_importable_module(value) for value in values.values()):
            return 0
        seen = [prints.get(name) for name in values]
        version = tuple((name, id(value), prints.get(name)) for name, value in values.items())
        known = self._known.get(group)
        if known is not None and known[0] == version:
            return known[1]
        if not exact and len(seen) == 1 and seen[0] is not None:
            return int(seen[0].size)
        by_name = {
            id(value): name
            for name, value in survey.items.items()
            if name not in values and is_session_definition(value)
        }
        try:
            size = int(measure_group(values, by_name, namespace)["bytes"])
        except Exception:  # it cannot be stored, or a value's own code raises while it is pickled
            size = 0
        self._known[group] = (version, size)
        return size

    def forget_missing(self, survey: Survey) -> None:
        """Drop what is known of groups that are no more."""
        for group in [group for group in self._known if not group <= survey.items.keys()]:
            del self._known[group]


def fingerprint_of(value: Any) -> Fingerprint | None:
    """The fingerprint of a value; None where its state cannot be seen."""
    return fingerprint(value)
