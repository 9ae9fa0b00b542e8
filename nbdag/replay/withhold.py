"""What looks like a credential stays behind unless it is asked for (``--with-credentials``, ``--store NAME``).

A bundle is copied, mailed, put into a bucket. Three nets, from fine to coarse:

| where | example | what is done |
|---|---|---|
| a variable's value, as the survey saw it | ``token = os.environ["TOKEN"]`` | left out, with what shares its state |
| a statement's text | ``client = Client(password="...")`` | never replayed: it would stand in restore.py |
| the finished bundle (known forms only) | a key inside an object | a warning that names the file |

What a withheld statement made is stored where that is possible: a frame read with a password does not hold it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nbdag.model import Diagnostic, Hazard, Reluctance, SessionGraph, Severity, Variable
from nbdag.portable.credentials import credential_in_text, known_form, known_form_in_bytes

TAKE_ALONG = "--with-credentials takes everything along"
LARGEST_SCANNED = 64 << 20  # bytes of one file of a bundle; buffers of arrays are larger and hold numbers


@dataclass(frozen=True, slots=True)
class Withheld:
    """A session graph without credentials: ``names`` are left out, ``graph`` has the reasons at its steps."""

    graph: SessionGraph
    names: frozenset[str] = frozenset()
    diagnostics: tuple[Diagnostic, ...] = ()


def withhold(graph: SessionGraph, variables: Sequence[Variable], wanted: Collection[str]) -> Withheld:
    """Leave out of ``graph`` what looks like a credential; names in ``wanted`` were asked for."""
    reasons = {v.name: v.credential for v in variables if v.credential and v.name not in wanted}
    names: set[str] = set()
    found: list[Diagnostic] = []
    steps = []
    for covariable in graph.covariables:
        guilty = [name for name in covariable.names if name in reasons]
        if not guilty or any(name in wanted for name in covariable.names):
            continue
        names.update(covariable.names)
        for name in guilty:
            others = [other for other in covariable.names if other not in reasons]
            also = f", and so does what shares its state: {', '.join(others)}" if others else ""
            message = f"{name} stays behind: {reasons[name]}{also}"
            found.append(Diagnostic("credential", Severity.WARNING, message, hint=f"--store {name}; {TAKE_ALONG}"))
    for step in graph.steps:
        reason = credential_in_code(step.code) if step.code else None
        if reason:
            hazard = Hazard(Reluctance.NEVER, f"its code holds {reason}; --with-credentials replays it")
            step = replace(step, hazards=(*step.hazards, hazard))
        steps.append(step)
    return Withheld(replace(graph, steps=tuple(steps)), frozenset(names), tuple(found))


def credential_in_code(code: str) -> str | None:
    """What looks like a credential in the text of a statement: ``"a GitHub token"``, ``"the value of 'password'"``."""
    form = known_form(code)
    if form is not None:
        return f"what looks like {form}"
    try:
        module = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for name, text in _named_constants(module):
        if credential_in_text(name, text):
            return f"the value of {name!r}"
    return None


def _named_constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    """String constants with the name they are given: ``name = "..."``, ``f(name="...")``, ``{"name": "..."}``."""
    for node in ast.walk(module):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _pair(_name_of(target), node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            yield from _pair(_name_of(node.target), node.value)
        elif isinstance(node, ast.keyword) and node.arg:
            yield from _pair(node.arg, node.value)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield from _pair(key.value, value)


def _name_of(target: ast.expr) -> str:
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return ""


def _pair(name: str, value: ast.expr) -> Iterator[tuple[str, str]]:
    if name and isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield name, value.value


def credentials_in_bundle(directory: Path) -> tuple[Diagnostic, ...]:
    """The last net: files of a written bundle that contain a known form of a credential."""
    found = []
    paths = [directory / "restore.py", directory / "data.msgpack", *sorted((directory / "blobs").glob("*"))]
    for path in paths:
        if not path.is_file() or path.stat().st_size > LARGEST_SCANNED:
            continue
        form = known_form_in_bytes(path.read_bytes())
        if form:
            place = path.relative_to(directory)
            message = f"{place} of the bundle contains what looks like {form}, inside a value or a function's text"
            hint = "look for it, and leave its variable out with --exclude NAME; do not share the bundle"
            found.append(Diagnostic("credential-in-bundle", Severity.WARNING, message, hint=hint))
    return tuple(found)
