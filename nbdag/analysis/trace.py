"""A Trace to and from its JSON file (schema: docs/architecture.md, "The agent"), so that later stages need no kernel.

Reading checks everything that it touches: a file that is truncated, edited or of another version is an IntegrityError
that says where, never a KeyError three stages later.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nbdag.errors import IntegrityError
from nbdag.model.findings import Diagnostic, Place, Severity
from nbdag.model.trace import Execution, FileUse, Outcome, StatementRun, Trace, ValueKind, Variable

FORMAT = "nbdag-trace"
VERSION = 1

T = TypeVar("T")
States = Mapping[str, bytes]


class Damage(Exception):
    """Something in the document is not as the schema says; the text names the place."""


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """The Trace in a file; IntegrityError when it is damaged, FileNotFoundError when it is not there."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise damaged(path, "it is not text") from error
    try:
        document = json.loads(text)
    except ValueError as error:
        raise damaged(path, f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise damaged(path, "it is nested too deeply") from error
    return trace_from_document(document, path)


def write_trace(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write a Trace to a file, whole or not at all; the same Trace gives the same bytes."""
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=".nbdag-", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(trace_document(trace), file, indent=1, sort_keys=True)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def damaged(path: str | os.PathLike[str], what: str) -> IntegrityError:
    """The error for a file that cannot be trusted."""
    return IntegrityError(f"{os.fspath(path)} is damaged: {what}", "analyze the notebook again")


# ------------------------------------------------------------------------------------------------ document -> Trace


def trace_from_document(document: object, path: str | os.PathLike[str] = "the trace") -> Trace:
    """The Trace that a parsed JSON document holds; IntegrityError names the damaged place."""
    try:
        root = mapping(document, "the document")
        if root.get("format") != FORMAT:
            raise Damage(f"its format is {root.get('format')!r} and not {FORMAT!r}")
        if root.get("version") != VERSION:
            raise Damage(f"its version is {root.get('version')!r}; this nbdag reads {VERSION}")
        states = read_states(root)
        executions = each(root, "executions", "the document", lambda item, where: read_execution(item, where, states))
        check_order(executions)
        return Trace(
            python=text(root, "python", "the document"),
            implementation=text(root, "implementation", "the document"),
            executable=text(root, "executable", "the document"),
            cwd=text(root, "cwd", "the document"),
            executions=executions,
            variables=each(root, "variables", "the document", read_variable),
            diagnostics=each(root, "diagnostics", "the document", read_diagnostic),
        )
    except Damage as damage:
        raise damaged(path, str(damage)) from None


def check_order(executions: tuple[Execution, ...]) -> None:
    """Ordinals rise, and an execution runs inside one that began before it."""
    seen: set[int] = set()
    last = -1
    for execution in executions:
        if execution.ordinal <= last:
            raise Damage(f"execution {execution.ordinal} stands after execution {last}")
        if execution.parent is not None and execution.parent not in seen:
            raise Damage(f"execution {execution.ordinal} runs inside {execution.parent}, which is not there")
        last = execution.ordinal
        seen.add(last)


def read_states(root: Mapping[str, Any]) -> States:
    """The table of random states, decoded; a state whose id is not its digest is damaged."""
    states: dict[str, bytes] = {}
    for key, encoded in mapping(root.get("states"), "states").items():
        try:
            state = base64.b64decode(encoded, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise Damage(f"random state {key} is not base64") from None
        if state_id(state) != key:
            raise Damage(f"random state {key} does not have this digest")
        states[key] = state
    return states


def read_execution(item: object, where: str, states: States) -> Execution:
    """One execution."""
    fields = mapping(item, where)
    return Execution(
        ordinal=integer(fields, "ordinal", where),
        source=text(fields, "source", where),
        outcome=member(Outcome, fields, "outcome", where),
        cell_id=text(fields, "cell_id", where),
        count=optional_integer(fields, "count", where),
        started=number(fields, "started", where),
        seconds=number(fields, "seconds", where),
        error=text(fields, "error", where),
        silent=flag(fields, "silent", where),
        parent=optional_integer(fields, "parent", where),
        known=flag(fields, "known", where),
        cwd=text(fields, "cwd", where),
        statements=each(fields, "statements", where, lambda inner, place: read_statement(inner, place, states)),
        covariables=each(fields, "covariables", where, read_names),
    )


def read_statement(item: object, where: str, states: States) -> StatementRun:
    """One statement run."""
    fields = mapping(item, where)
    random_state = []
    for generator, key in sorted(mapping(fields.get("random_state"), f"{where}.random_state").items()):
        if key not in states:
            raise Damage(f"{where}.random_state names state {key!r}, which is not in the table")
        random_state.append((generator, states[key]))
    return StatementRun(
        node=integer(fields, "node", where),
        line=integer(fields, "line", where),
        end_line=integer(fields, "end_line", where),
        seconds=number(fields, "seconds", where),
        completed=flag(fields, "completed", where),
        bound=names(fields, "bound", where),
        deleted=names(fields, "deleted", where),
        reached=names(fields, "reached", where),
        changed=names(fields, "changed", where),
        unseen=names(fields, "unseen", where),
        put_off=read_names(fields.get("put_off", []), f"{where}.put_off"),
        drew=names(fields, "drew", where),
        random_state=tuple(random_state),
        files=each(fields, "files", where, read_file_use),
        effects=names(fields, "effects", where),
        lines=read_ranges(fields.get("lines", []), f"{where}.lines"),
        missed=read_ranges(fields.get("missed", []), f"{where}.missed"),
        started=read_names(fields.get("started", []), f"{where}.started"),
        beyond=read_names(fields.get("beyond", []), f"{where}.beyond"),
    )


def read_file_use(item: object, where: str) -> FileUse:
    """One use of a file."""
    fields = mapping(item, where)
    return FileUse(
        path=text(fields, "path", where),
        absolute=text(fields, "absolute", where),
        mode=text(fields, "mode", where),
        size=integer(fields, "size", where),
        digest=text(fields, "digest", where),
    )


def read_variable(item: object, where: str) -> Variable:
    """One active name."""
    fields = mapping(item, where)
    return Variable(
        name=text(fields, "name", where),
        type=text(fields, "type", where),
        kind=member(ValueKind, fields, "kind", where),
        group=integer(fields, "group", where),
        size=integer(fields, "size", where),
        store_seconds=number(fields, "store_seconds", where),
        storable=flag(fields, "storable", where),
        obstacle=text(fields, "obstacle", where),
        altered=flag(fields, "altered", where),
        credential=text(fields, "credential", where) if "credential" in fields else "",
    )


def read_diagnostic(item: object, where: str) -> Diagnostic:
    """One finding."""
    fields = mapping(item, where)
    place = fields.get("place")
    return Diagnostic(
        code=text(fields, "code", where),
        severity=member(Severity, fields, "severity", where),
        message=text(fields, "message", where),
        cell=optional_integer(fields, "cell", where),
        place=None if place is None else read_place(place, f"{where}.place"),
        hint=text(fields, "hint", where),
    )


def read_place(item: object, where: str) -> Place:
    """A span of text."""
    fields = mapping(item, where)
    return Place(*(integer(fields, name, where) for name in ("line", "column", "end_line", "end_column")))


def read_names(item: object, where: str) -> tuple[str, ...]:
    """A list of names."""
    if not isinstance(item, list) or not all(isinstance(name, str) for name in item):
        raise Damage(f"{where} is not a list of names")
    return tuple(item)


def read_ranges(item: object, where: str) -> tuple[tuple[int, int], ...]:
    """A list of pairs of lines, both ends included."""
    if not isinstance(item, list):
        raise Damage(f"{where} is not a list of line ranges")
    for pair in item:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(type(line) is int for line in pair):
            raise Damage(f"{where} is not a list of line ranges")
    return tuple((pair[0], pair[1]) for pair in item)


def mapping(item: object, where: str) -> Mapping[str, Any]:
    """``item`` if it is a JSON object."""
    if not isinstance(item, dict):
        raise Damage(f"{where} is not an object")
    return item


def each(fields: Mapping[str, Any], name: str, where: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
    """The items of a list, each read by ``read(item, where)``."""
    items = fields.get(name)
    if not isinstance(items, list):
        raise Damage(f"{where}.{name} is not a list")
    return tuple(read(item, f"{name}[{index}]") for index, item in enumerate(items))


def names(fields: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """A field that is a list of names."""
    return read_names(fields.get(name), f"{where}.{name}")


def text(fields: Mapping[str, Any], name: str, where: str) -> str:
    """A field that is text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise Damage(f"{where}.{name} is not text")
    return value


def integer(fields: Mapping[str, Any], name: str, where: str) -> int:
    """A field that is a whole number."""
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Damage(f"{where}.{name} is not a whole number")
    return value


def optional_integer(fields: Mapping[str, Any], name: str, where: str) -> int | None:
    """A field that is a whole number or null."""
    return None if fields.get(name) is None else integer(fields, name, where)


def number(fields: Mapping[str, Any], name: str, where: str) -> float:
    """A field that is a number."""
    value = fields.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise Damage(f"{where}.{name} is not a number")
    return float(value)


def flag(fields: Mapping[str, Any], name: str, where: str) -> bool:
    """A field that is true or false."""
    value = fields.get(name)
    if not isinstance(value, bool):
        raise Damage(f"{where}.{name} is not true or false")
    return value


E = TypeVar("E", Outcome, ValueKind, Severity)


def member(kind: type[E], fields: Mapping[str, Any], name: str, where: str) -> E:
    """A field that is the value of an enum."""
    try:
        return kind(fields.get(name))
    except ValueError:
        raise Damage(f"{where}.{name} is {fields.get(name)!r}, which is no {kind.__name__}") from None


# ------------------------------------------------------------------------------------------------ Trace -> document


def trace_document(trace: Trace) -> dict[str, Any]:
    """The JSON document of a Trace; random states stand once in the table ``states``."""
    states: dict[str, str] = {}
    return {
        "format": FORMAT,
        "version": VERSION,
        "python": trace.python,
        "implementation": trace.implementation,
        "executable": trace.executable,
        "cwd": trace.cwd,
        "executions": [execution_document(execution, states) for execution in trace.executions],
        "variables": [fields_of(variable) for variable in trace.variables],
        "diagnostics": [
            {**fields_of(diagnostic), "place": None if diagnostic.place is None else fields_of(diagnostic.place)}
            for diagnostic in trace.diagnostics
        ],
        "states": states,
    }


def execution_document(execution: Execution, states: dict[str, str]) -> dict[str, Any]:
    """One execution; its random states go into the table."""
    document = fields_of(execution)
    document["statements"] = []
    for statement in execution.statements:
        inner = fields_of(statement)
        inner["random_state"] = {}
        for generator, state in statement.random_state:
            inner["random_state"][generator] = state_id(state)
            states[state_id(state)] = base64.b64encode(state).decode("ascii")
        inner["files"] = [fields_of(file) for file in statement.files]
        document["statements"].append(inner)
    document["covariables"] = [list(group) for group in execution.covariables]
    return document


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of a value of the model: enums by value, tuples as lists."""
    document: dict[str, Any] = {}
    for name in value.__dataclass_fields__:
        found = getattr(value, name)
        if isinstance(found, Outcome | ValueKind | Severity):
            found = found.value
        document[name] = list(found) if isinstance(found, tuple) else found
    return document


def state_id(state: bytes) -> str:
    """The id of a random state in the table."""
    return hashlib.sha256(state).hexdigest()[:16]
