"""What looks like a credential stays behind unless it is asked for (``--with-credentials``, ``--store NAME``).

A bundle is copied, mailed, put into a bucket. Four nets, from fine to coarse:

| where | example | what is done |
|---|---|---|
| a variable's value, as the survey saw it | ``token = os.environ["TOKEN"]`` | left out, with what shares its state |
| a statement's text | ``client = Client(password="...")`` | never replayed: it would stand in restore.py |
| the text of a module beside the notebook | ``utils.py`` with ``KEY = "sk-..."`` | it stays behind |
| the finished bundle (known forms only) | a key inside an object | a warning that names the file |

What a withheld statement made is stored where that is possible: a frame read with a password does not hold it.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from nbdag.model.findings import Diagnostic, Severity
from nbdag.model.graph import Hazard, Reluctance, SessionGraph
from nbdag.model.trace import Variable
from nbdag.portable.bundlefile import BUNDLE_VERSION_PACKED, BundleDamaged, read_data
from nbdag.portable.credentials import credential_in_text, known_form, known_form_in_bytes
from nbdag.portable.msgpack import pack
from nbdag.portable.places import BundlePlace
from nbdag.portable.unpacking import PackedBlobDamaged, UnpackingReader
from nbdag.replay.named_values import named_values
from nbdag.runtime import PACKED_BEGINS, PACKED_ENDS

TAKE_ALONG = "--with-credentials takes all such things along"
PIECE, MOST_PIECES = 8 << 20, 32  # bytes of one file of a bundle that are looked at, and at once
OVERLAP = 8192
SAMPLE = 4096


@dataclass(frozen=True, slots=True)
class Withheld:
    """A session graph without credentials: ``names`` are left out, ``graph`` has the reasons at its steps."""

    graph: SessionGraph
    names: frozenset[str] = frozenset()
    diagnostics: tuple[Diagnostic, ...] = ()


def withhold(
    graph: SessionGraph, variables: Sequence[Variable], wanted: Collection[str], replayed: Collection[str] = ()
) -> Withheld:
    """Leave out of ``graph`` what looks like a credential; names in ``wanted`` were asked for.

    Names in ``replayed`` were asked for by their code: it runs, and the value does not travel whatever happens.
    """
    reasons = {v.name: v.credential for v in variables if v.credential and v.name not in wanted}
    names: set[str] = set()
    found: list[Diagnostic] = []
    steps = []
    covariables = []
    for covariable in graph.covariables:
        guilty = [name for name in covariable.names if name in reasons]
        asked = any(name in wanted for name in covariable.names)
        if guilty and not asked and any(name in replayed for name in covariable.names):
            obstacle = f"{guilty[0]}: {reasons[guilty[0]]}: it was asked for by --replay, and is not stored"
            covariable = replace(covariable, storable=False, obstacle=obstacle)
            guilty = []
        covariables.append(covariable)
        if not guilty or asked:
            continue
        names.update(covariable.names)
        for name in guilty:
            others = [other for other in covariable.names if other not in reasons]
            also = f", and so does what shares its state: {', '.join(others)}" if others else ""
            message = f"{name} stays behind: {reasons[name]}{also}"
            hint = f"to take it along: --store {name}; {TAKE_ALONG}"
            found.append(Diagnostic("credential", Severity.WARNING, message, hint=hint))
    for step in graph.steps:
        reason = credential_in_code(step.code) if step.code else None
        if reason:
            hazard = Hazard(Reluctance.NEVER, f"its code holds {reason}; --with-credentials replays it")
            step = replace(step, hazards=(*step.hazards, hazard))
        steps.append(step)
    graph = replace(graph, steps=tuple(steps), covariables=tuple(covariables))
    return Withheld(graph, frozenset(names), tuple(found))


def credential_in_code(code: str) -> str | None:
    """What looks like a credential in the text of a statement: ``"a GitHub token"``, ``"the value of 'password'"``."""
    form = known_form(code)
    if form is not None:
        return f"what looks like {form}"
    try:
        module = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for name, value in named_values(module):
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and credential_in_text(name, value.value):
            return f"the value of {name!r}"
    return None


def withhold_modules(process_state: Mapping[str, Any]) -> dict[str, Any]:
    """``process_state`` without the texts of modules beside the notebook that hold what looks like a credential.

    They are named, with the reason, under ``withheld_modules``: the target must have the files.
    """
    modules = process_state.get("modules") or {}
    reasons = {name: reason for name, entry in modules.items() if (reason := _credential_in_module(entry))}
    if not reasons:
        return dict(process_state)
    kept = {name: entry for name, entry in modules.items() if name not in reasons}
    return {**process_state, "modules": kept, "withheld_modules": reasons}


def _credential_in_module(entry: Sequence[Any]) -> str | None:
    """What looks like a credential in the text of a module, or in the values that its names have now."""
    _, _, text, values = entry
    return credential_in_code(text) or credential_in_code(f"values = {values}")


def credentials_in_bundle(out: Path) -> tuple[Diagnostic, ...]:
    """What is to be said of a written bundle: modules that stayed behind, and known forms of credentials that are in it
    all the same, inside an object or a function's text: the last net.

    Looks into restore.py, data.msgpack, the input files, all pickles, and memory that holds text, as far as 256 MB of
    each; numbers are not read. Empty for what cannot be opened.
    """
    try:
        place = BundlePlace(str(out))
        script = place.content("__main__.py" if place.is_archive else "restore.py")
        raw, data = place.content("data.msgpack"), read_data(place, "")
    except (BundleDamaged, OSError, ValueError):
        return ()
    found = []
    for name, reason in sorted(data["process_state"].get("withheld_modules", {}).items()):
        message = f"the module {name} beside the notebook stays behind: its text holds {reason}"
        found.append(Diagnostic("credential", Severity.WARNING, message, hint=f"copy its file; {TAKE_ALONG}"))
    raw = pack(data) if data["version"] == BUNDLE_VERSION_PACKED else raw
    before, _, after = script.partition(PACKED_BEGINS)
    packed, _, plan = after.partition(PACKED_ENDS)  # nbdag's own, which may look like anything
    seen = [("restore.py", known_form_in_bytes(before) or known_form_in_bytes(plan or packed))]
    seen += [("data.msgpack", known_form_in_bytes(raw))]
    seen += [(f"files/{path.name}", _form_in_file(path)) for path in _input_files(place)]
    seen += [(f"blobs/{part['blob']}", form) for part, form in _forms_in_blobs(place, data)]
    for where, form in seen:
        if form:
            message = f"{where} of the bundle contains what looks like {form}, inside a value or a function's text"
            hint = "look for it, and leave its variable out with --exclude NAME; do not share the bundle"
            found.append(Diagnostic("credential-in-bundle", Severity.WARNING, message, hint=hint))
    return tuple(found)


def _input_files(place: BundlePlace) -> list[Path]:
    return sorted(path for path in (Path(place.folder()) / "files").rglob("*") if path.is_file())


def _form_in_file(path: Path) -> str | None:
    with path.open("rb") as file:
        return _form_in_stream(file, path.stat().st_size)


def _forms_in_blobs(place: BundlePlace, data: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """The blobs that may hold text, each once, and what was found there."""
    heads = [group["head"] for group in data["groups"]]
    regions = [region for group in data["groups"] for region in group["regions"]]
    done: set[str] = set()
    for part, is_pickle in [*((head, True) for head in heads), *((region, False) for region in regions)]:
        if isinstance(part, bytes) or part["blob"] in done:
            continue
        done.add(part["blob"])
        try:
            with _opened(place, part) as file:
                if is_pickle or _looks_like_text(file.peek(SAMPLE)[: min(SAMPLE, part["size"])]):
                    yield part, _form_in_stream(file, part["size"])
        except (OSError, PackedBlobDamaged):
            continue


def _opened(place: BundlePlace, part: Mapping[str, Any]) -> io.BufferedReader:
    path, offset, size = place.blob(part["blob"])
    file = open(path, "rb")  # noqa: SIM115 - the caller closes it
    file.seek(offset)
    if "codec" in part:
        return io.BufferedReader(UnpackingReader(file, size, part["size"], part["codec"]), PIECE)
    return file


def _looks_like_text(sample: bytes) -> bool:
    """Whether memory holds text rather than numbers: hardly a byte that text does not have."""
    odd = sum(byte < 32 and byte not in b"\t\n\r" for byte in sample)
    return bool(sample) and odd <= len(sample) // 20


def _form_in_stream(file: BinaryIO, left: int) -> str | None:
    """What is in the next ``left`` bytes of a file, 256 MB at most; read in pieces that overlap by more than a key."""
    rest = b""
    for _ in range(MOST_PIECES):
        piece = file.read(min(PIECE, left))
        if not piece:
            return None
        form = known_form_in_bytes(rest + piece)
        if form:
            return form
        left -= len(piece)
        rest = piece[-OVERLAP:]
    return None
