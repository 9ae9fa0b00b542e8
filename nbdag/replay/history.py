"""The past of a session, as it travels in a bundle: executions with their times, ``In``, what of ``Out`` can travel.

A session that is restored and compiled again is planned with it: its sources, costs and versions are those of the
machines it was on before. What looks like a credential in a text is struck out, and the statement that held it is
marked: it can be read and analyzed, but never replayed.
"""

from __future__ import annotations

import ast
import json
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from nbdag.errors import KernelProtocolError
from nbdag.model.notebook import Cell
from nbdag.model.trace import Execution, StatementRun, Trace
from nbdag.portable.credentials import SEARCHES, credential_in_text, known_form
from nbdag.portable.msgpack import pack
from nbdag.replay.named_values import named_values

STRUCK = "***"
SCALARS = frozenset((str, int, float, bool, bytes, type(None)))
WITHHELD = "withheld"
"""Among the effects of a statement: its text was changed, and running it would do something else."""

_LINE_END = re.compile(r"\r\n|\r|\n")  # as Python counts lines
_MAGIC_LINE = re.compile(r"^\s*(?:[\w.,\s]+=\s*)?[%!?]")
_PAIR = re.compile(r"\b([A-Za-z_][\w-]*)(?=[ \t]*[=: ][ \t]*[\"']?([^\s\"']+))")


class Asked(Protocol):
    """An agent that is asked for the past."""

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a session's past. ``cells`` are those of its notebook, where that is known."""

    trace: Trace
    past: Mapping[str, Any] = field(default_factory=dict)
    cells: Sequence[Cell] = ()
    with_credentials: bool = False

    def packed(self, mistrusted: Collection[str] = ()) -> bytes:
        """The history as a bundle holds it; ``mistrusted`` are names whose replay gave something else.

        The same session gives the same bytes.
        """
        states: dict[bytes, int] = {}
        executions = [self._execution(execution, states) for execution in self.trace.executions]
        known = {record["count"]: record["source"] for record in executions if record["count"] is not None}
        altered = {variable.name for variable in self.trace.variables if variable.altered}
        document = {
            "python": self.trace.python,
            "cwd": self.trace.cwd,
            "executions": executions,
            "states": list(states),
            "definitions": dict(self.past.get("definitions", {})),
            "inputs": [
                [number, text]
                for number, text in ((number, self._clean(text)[0]) for number, text in self.past.get("inputs", ()))
                if known.get(number) != text
            ],
            "outputs": [list(output) for output in self.past.get("outputs", ())],
            "count": int(self.past.get("count", 1 + max(known, default=0))),
            "altered": sorted({*altered, *mistrusted}),
            "cells": [[cell.id, self._clean(cell.source)[0]] for cell in self.cells],
        }
        return zlib.compress(pack(document), 6)

    def _execution(self, execution: Execution, states: dict[bytes, int]) -> dict[str, Any]:
        source, lines = self._clean(execution.source)
        record: dict[str, Any] = _plain(replace(execution, statements=()))
        record["source"] = source
        record["error"] = execution.error if self.with_credentials else _struck(execution.error)
        record["statements"] = [_statement(run, states, lines) for run in execution.statements]
        if lines and not execution.known:  # nothing marks its statements: it is left with no text to replay
            record["source"] = _without_lines(source, lines)
        return record

    def _clean(self, source: str) -> tuple[str, frozenset[int]]:
        return (source, frozenset()) if self.with_credentials else struck_out(source)


def ask_past(agent: Asked, directory: Path) -> Mapping[str, Any]:
    """What the kernel adds to the trace; nothing, if a recorder of an earlier nbdag sits there."""
    path = directory / "past.json"
    try:
        agent.command("past", {"path": str(path)})
    except KernelProtocolError:
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _statement(run: StatementRun, states: dict[bytes, int], struck: frozenset[int]) -> dict[str, Any]:
    record: dict[str, Any] = _plain(run)
    record["random_state"] = [
        [generator, states.setdefault(state, len(states))] for generator, state in run.random_state
    ]
    if any(run.line <= line <= run.end_line for line in struck):
        record["effects"] = sorted({*run.effects, WITHHELD})
    return record


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def _plain(value: Any) -> Any:
    """Dataclasses as dicts, tuples as lists, enums by value."""
    if type(value) in SCALARS:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in _names_of(type(value))}
    if isinstance(value, list | tuple):
        return [item if type(item) is str else _plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


# ------------------------------------------------------------------------------------------------ credentials


def struck_out(source: str) -> tuple[str, frozenset[int]]:
    """``source`` with what looks like a credential struck out, and the numbers of the lines it stood in.

    Lines keep their number and names their place, so the text still says what each statement binds and reads.
    """
    spans = sorted(_spans(source))
    if not spans:
        return source, frozenset()
    struck: set[int] = set()
    parts: list[str] = []
    end = 0
    for start, stop in spans:
        if start < end:
            start = end
        if stop <= start:
            continue
        first = source.count("\n", 0, start) + 1
        lines = source.count("\n", start, stop)
        struck.update(range(first, first + lines + 1))
        parts += [source[end:start], STRUCK, "\n" * lines]
        end = stop
    return "".join([*parts, source[end:]]), frozenset(struck)


def _struck(text: str) -> str:
    """``text``, which is no code, without what has an issuer's form."""
    for start, stop in sorted(_form_spans(text), reverse=True):
        text = text[:start] + STRUCK + text[stop:]
    return text


def _spans(source: str) -> Iterator[tuple[int, int]]:
    yield from _form_spans(source)
    python, magics = _as_python(source)
    try:
        module = ast.parse(python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        magics = list(range(python.count("\n") + 1))
    else:
        yield from _constants(module, source)
    lines = source.split("\n")
    offset = 0
    for number, line in enumerate(lines):
        if number in magics:
            for found in _PAIR.finditer(line):
                if credential_in_text(found[1], found[2]):
                    yield offset + found.start(2), offset + found.end(2)
        offset += len(line) + 1


def _form_spans(text: str) -> Iterator[tuple[int, int]]:
    """Places of what has an issuer's form; of a private key, all of it."""
    if not known_form(text):
        return
    for _, markers, form in SEARCHES:
        for marker in markers:
            start = text.find(marker)
            while start >= 0:
                found = form.match(text, start)
                if found:
                    yield start, _end_of_key(text, found.end()) if marker.startswith("-----") else found.end()
                start = text.find(marker, start + 1)


def _end_of_key(text: str, head: int) -> int:
    """Where the key ends whose head ends at ``head``: behind its last line, or with the text."""
    found = re.compile(r"-----END [A-Z0-9 ]*-----").search(text, head)
    return found.end() if found else len(text)


def _as_python(source: str) -> tuple[str, list[int]]:
    """``source`` with its magic and shell lines emptied, each as long as it was, and the numbers of these from 0."""
    lines, magics = source.split("\n"), []
    for number, line in enumerate(lines):
        if _MAGIC_LINE.match(line):
            magics.append(number)
            indent = len(line) - len(line.lstrip())
            lines[number] = " " * indent + ("pass" if len(line) - indent >= 4 else "0")
    return "\n".join(lines), magics


def _constants(module: ast.Module, source: str) -> Iterator[tuple[int, int]]:
    """Places of string constants whose name, or the key they go by, says that they are credentials."""
    starts = [0, *(found.end() for found in _LINE_END.finditer(source))]

    def place(line: int, column: int) -> int:
        # ast counts columns in bytes of UTF-8
        start = starts[line - 1]
        text = source[start : start + column]  # a character takes a byte or more
        return start + len(text.encode("utf-8")[:column].decode("utf-8", "ignore"))

    strings = (
        (name, node)
        for name, value in named_values(module)
        for node in ast.walk(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    for name, node in strings:
        text = str(node.value)
        if credential_in_text(name, text) and node.end_lineno and node.end_col_offset is not None:
            start, stop = place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)
            quote = re.match(r"[A-Za-z]*('''|\"\"\"|'|\")", source[start:stop])
            if quote:
                yield start + quote.end(), stop - len(quote[1])


def _without_lines(source: str, lines: frozenset[int]) -> str:
    kept = source.split("\n")
    return "\n".join("" if number in lines else line for number, line in enumerate(kept, 1))
