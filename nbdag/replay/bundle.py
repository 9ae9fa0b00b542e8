"""Writes a plan and the encoded values as a bundle: restore.py, data.msgpack, blobs/ and more.

``docs/format.md`` is the format. Written beside its destination, synced, and swapped in by a rename: whoever looks
finds the old bundle or the new one. The same plan and values give the same bytes.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbdag.errors import IntegrityError, OutputError
from nbdag.link import runtime_source
from nbdag.model import Action, Bundle, FileUse, Load, Plan, Replay
from nbdag.portable.bundlefile import BUNDLE_FORMAT, BUNDLE_VERSION, BundleDamaged, check_blobs, read_data
from nbdag.portable.encode import INLINE_LIMIT
from nbdag.portable.msgpack import pack
from nbdag.replay.fallback import Fallbacks

ENTRIES = frozenset({"restore.py", "data.msgpack", "blobs", "files", "requirements.txt", "__pycache__"})
"""What a bundle's directory may hold: a directory with anything else is not ours to replace."""

FULL_DISK = "free some space, or choose another --out"


def check_destination(out: Path) -> None:
    """Raise OutputError unless ``out`` is a bundle, an empty directory, or nothing at all."""
    try:
        if not out.is_dir():
            if out.exists() or out.is_symlink():
                raise OutputError(f"{out} is a file", "choose another --out")
            return
        entries = sorted(entry.name for entry in out.iterdir())
    except OSError as error:
        raise OutputError(f"{out} cannot be looked at: {error.strerror}", "choose another --out") from error
    if not entries:
        return
    if "restore.py" not in entries or "data.msgpack" not in entries:
        raise OutputError(f"{out} is a directory that is not a bundle", "choose another --out, or empty it")
    foreign = [name for name in entries if name not in ENTRIES]
    if foreign:
        raise OutputError(
            f"{out} holds {foreign[0]}, which is not part of a bundle",
            "replacing the bundle would remove it: move it away",
        )


def write_bundle(
    plan: Plan,
    encoded: Mapping[str, Any],
    staging: Path,
    out: Path,
    *,
    process_state: Mapping[str, Any],
    random_states: Mapping[str, bytes],
    provenance: Mapping[str, Any],
    requirements: Sequence[tuple[str, str]],
    reuse: Path | None = None,
    carried: Sequence[tuple[str, Path]] = (),
    fallbacks: Fallbacks = Fallbacks(),
) -> Bundle:
    """Write the bundle at ``out``, atomically.

    ``encoded["groups"]`` are the indices that ``portable.encode.write_group`` returned, numbered as the plan's loads
    are; their blobs lie in ``staging/blobs`` and stay there. ``reuse`` is an earlier bundle to take blobs from.
    ``carried`` are small input files: (path as the code spells it, where it is now). ``fallbacks`` are the statements
    that make what a target cannot load. Raises OutputError.
    """
    check_destination(out)
    random_table = _RandomTable()
    steps = [_step_text(step, random_table) for step in plan.steps]
    groups = [{**_group_of(index), **_fallback_of(number, fallbacks)} for number, index in enumerate(encoded["groups"])]
    blobs = {part["blob"]: part["size"] for group in groups for part in _blob_parts(group)}
    spare = _fallback_steps(fallbacks)
    spare_digest = hashlib.sha256(spare).hexdigest() if len(spare) >= INLINE_LIMIT else ""
    if spare_digest:
        blobs[spare_digest] = len(spare)
    data = pack(
        {
            "format": BUNDLE_FORMAT,
            "version": BUNDLE_VERSION,
            "provenance": dict(provenance),
            "requirements": [list(pair) for pair in requirements],
            "groups": groups,
            "blobs": dict(sorted(blobs.items())),
            "fallbacks": {"blob": spare_digest, "size": len(spare)} if spare_digest else spare,
            "replayed": sorted(n for d in plan.decisions if d.action is Action.REPLAY for n in d.names),
            "process_state": dict(process_state),
            "replay_states": random_table.states,
            "random_states": dict(random_states),
        }
    )
    script = restore_script(steps, plan.dropped, hashlib.sha256(data).hexdigest(), provenance, _restorers_of(groups))
    reused = 0
    with _failures_as_output_errors(out):
        parent = out.absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{out.name}.tmp-", dir=parent))
        try:
            (building / "blobs").mkdir()
            if spare_digest:
                _write(building / "blobs" / spare_digest, spare)
            for digest in sorted(blobs.keys() - {spare_digest}):
                kept = reuse / "blobs" / digest if reuse is not None else None
                reused += kept is not None and kept.is_file() and kept.stat().st_size == blobs[digest]
                _place_blob(digest, [staging / "blobs" / digest, kept], building)
            for path, source in carried:
                _carry(path, source, building)
            lines = [f"{name}=={version}\n" if version else f"{name}\n" for name, version in requirements]
            _write(building / "requirements.txt", "".join(lines).encode())
            _write(building / "data.msgpack", data)
            _write(building / "restore.py", script.encode("utf-8"))
            (building / "restore.py").chmod(0o777 & ~_umask())
            building.chmod(0o777 & ~_umask())
            _sync(building / "blobs")
            _sync(building)
            _swap_in(building, out)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return Bundle(str(out), len(data), sum(blobs.values()), len(blobs), reused)


def publish(candidate: Path, out: Path, bundle: Bundle) -> Bundle:
    """Move the bundle at ``candidate`` (on the same file system) to ``out`` in place of what is there."""
    check_destination(out)
    with _failures_as_output_errors(out):
        _swap_in(candidate, out)
    return replace(bundle, directory=str(out))


def read_manifest(directory: Path) -> dict[str, Any]:
    """The content of a bundle's data.msgpack; raises IntegrityError where the bundle is damaged or incomplete."""
    try:
        script = (directory / "restore.py").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityError(f"{directory / 'restore.py'} cannot be read: {error}") from error
    found = re.search(r'^    DATA_SHA256 = "([0-9a-f]{64})"$', script, re.MULTILINE)
    if found is None:
        raise IntegrityError(f"{directory / 'restore.py'} is not a bundle's script")
    try:
        data = read_data(str(directory), found[1])
        check_blobs(str(directory), data, range(len(data["groups"])), every_byte=False)
    except BundleDamaged as error:
        raise IntegrityError(f"{directory}: {error}", "compile it again") from error
    return data


def earlier_choices(out: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The names that the bundle at ``out`` stores, and those it replays; none where there is no bundle, or a damaged
    one."""
    if not (out / "restore.py").is_file():
        return frozenset(), frozenset()
    try:
        data = read_manifest(out)
        stored = frozenset(name for group in data["groups"] for name in group["names"])
        return stored, frozenset(name for name in data.get("replayed", ()) if isinstance(name, str))
    except (IntegrityError, TypeError):
        return frozenset(), frozenset()


# ------------------------------------------------------------------------------------------------ restore.py

HEADER = '''\
#!/usr/bin/env python3
# Rebuilds the session{of_notebook}. Written by nbdag{provenance}; needs Python 3.8 or later.
#
#     python restore.py            restore, say what came back, end
#     python -i restore.py         restore and go on at the prompt
#     %run -i restore.py           restore into a notebook
#     python restore.py --help     more
#
# This file is the whole program: what it runs of the notebook stands at the end, under PLAN. It reads data.msgpack
# and blobs/ beside it, and unpickles nothing that the sha256 below does not vouch for.

if __name__ != "nbdag_restore":

    def _nbdag_restore(namespace, code):
        """Run this file once more as a module of its own, so that nothing of it mixes with the names of the session."""
        import sys

        runtime = type(sys)("nbdag_restore")
        sys.modules["nbdag_restore"] = runtime
        try:
            exec(code, runtime.__dict__)
            status = runtime.restore_session(
                namespace, code.co_filename, runtime.DATA_SHA256, runtime.PLAN, runtime.DROPPED
            )
        finally:
            sys.modules.pop("nbdag_restore", None)
            namespace.pop("_nbdag_restore", None)
        runtime.leave(status, namespace)

    _nbdag_restore(globals(), __import__("sys")._getframe().f_code)

if __name__ == "nbdag_restore":
'''


def restore_script(
    steps: Sequence[str],
    dropped: Sequence[str],
    data_digest: str,
    provenance: Mapping[str, Any],
    restorers: frozenset[str] | None = None,
) -> str:
    """The text of restore.py; ``steps`` are spelled as Python already, ``restorers`` are all that the pickles call."""
    notebook = str(provenance.get("notebook") or "")
    version = str(provenance.get("nbdag") or "")
    python = str(provenance.get("python") or "")
    said = (f" {version}" if version else "") + (f" on Python {python}" if python else "")
    header = HEADER.replace("{of_notebook}", _one_line(f" of {notebook}" if notebook else ""))
    header = header.replace("{provenance}", _one_line(said))
    names = "".join(f"        {name!r},\n" for name in dropped)
    return (
        header
        + _indented(runtime_source(restorers))
        + f'\n    DATA_SHA256 = "{data_digest}"\n'
        + "\n    # Made on the way, and no longer in the session at its end.\n"
        + (f"    DROPPED = (\n{names}    )\n" if dropped else "    DROPPED = ()\n")
        + "\n    # What rebuilds the session, in this order.\n"
        + "    PLAN = (\n"
        + "".join(steps)
        + "    )\n"
    )


class _RandomTable:
    """The states of random generators that replays begin with, each once."""

    def __init__(self) -> None:
        self.states: list[dict[str, bytes]] = []
        self._numbers: dict[frozenset[tuple[str, bytes]], int] = {}

    def number_of(self, state: Sequence[tuple[str, bytes]]) -> int:
        number = self._numbers.setdefault(frozenset(state), len(self.states))
        if number == len(self.states):
            self.states.append(dict(state))
        return number


def _step_text(step: Load | Replay, random_table: _RandomTable) -> str:
    """One step as a line or a few of the PLAN."""
    pad = " " * 8
    if isinstance(step, Load):
        return f"{pad}Load({''.join(f'{name!r}, ' for name in step.names)}group={step.group}),\n"
    parts = [f"cell={step.cell!r}", f"line={step.line}", f"names={step.names!r}"]
    if step.why:
        parts.append(f"why={step.why!r}")
    if step.random_state:
        parts.append(f"random_state={random_table.number_of(step.random_state)}")
    files = [_file_text(file) for file in step.files if file.mode == "r"]
    if files:
        parts.append(f"files=({', '.join(files)},)")
    if step.cwd:
        parts.append(f"cwd={step.cwd!r}")
    if step.may_fail:
        parts.append("may_fail=True")
    inner = f",\n{pad}    ".join([*parts, f"code={_code_literal(step.code)}"])
    return f"{pad}Replay(\n{pad}    {inner},\n{pad}),\n"


def _file_text(file: FileUse) -> str:
    return repr((file.path, file.absolute, file.size, file.digest))


def _fallback_steps(fallbacks: Fallbacks) -> bytes:
    """The statements of ``fallbacks``, packed on their own: a restore that does not need them leaves them so. Empty
    without any."""
    if not fallbacks.steps:
        return b""
    table = _RandomTable()
    steps = [
        {
            "code": step.code,
            "cell": step.cell,
            "line": step.line,
            "names": list(step.names),
            "random_state": table.number_of(step.random_state) if step.random_state else None,
            "files": [[use.path, use.absolute, use.size, use.digest] for use in step.files if use.mode == "r"],
            "cwd": step.cwd,
            "may_fail": step.may_fail,
        }
        for step in fallbacks.steps
    ]
    return pack({"steps": steps, "states": table.states})


def _fallback_of(group: int, fallbacks: Fallbacks) -> dict[str, Any]:
    """What the entry of a group says of its fallback."""
    if group in fallbacks.closed:
        return {"no_fallback": fallbacks.closed[group]}
    if group not in fallbacks.of:
        return {}
    doubt = {"doubt": fallbacks.doubts[group]} if group in fallbacks.doubts else {}
    return {"fallback": [[index, list(names)] for index, names in fallbacks.of[group]], **doubt}


def _code_literal(code: str) -> str:
    """``code`` as a literal that reads like the code, where that is possible."""
    plain = "'''" not in code and not code.endswith(("'", "\\")) and "\r" not in code and "\x00" not in code
    if plain and all(character.isprintable() or character in "\n\t" for character in code):
        # r'\' cannot end in a backslash; inside, every backslash stands for itself.
        return f"r'''{code}'''"
    return ascii(code)


def _indented(text: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in text.splitlines(keepends=True))


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


# ------------------------------------------------------------------------------------------------ data


def _group_of(index: Mapping[str, Any]) -> dict[str, Any]:
    """An index as ``write_group`` gave it, with bytes instead of base64."""
    if "error" in index:
        raise ValueError(f"group {index.get('names')} was not encoded: {index['error']}")
    return {
        **index,
        "head": _part_of(index["head"]),
        "regions": [_part_of(part) for part in index["regions"]],
    }


def _restorers_of(groups: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(name for group in groups for name in group["restorers"])


def _part_of(part: Mapping[str, Any]) -> Any:
    return base64.b64decode(part["inline"]) if "inline" in part else {"blob": part["blob"], "size": part["size"]}


def _blob_parts(group: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in [group["head"], *group["regions"]]:
        if isinstance(part, dict):
            yield part


# ------------------------------------------------------------------------------------------------ files


def _place_blob(digest: str, sources: Sequence[Path | None], building: Path) -> None:
    """Link or copy a blob from the first of ``sources`` that has it."""
    target = building / "blobs" / digest
    source = next((path for path in sources if path is not None and path.is_file()), None)
    if source is None:
        raise OutputError(f"the blob {digest} is gone from {sources[0]}", "compile again")
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    target.chmod(0o666 & ~_umask())
    _sync(target)


def _carry(path: str, source: Path, building: Path) -> None:
    """Copy a small input file to where the replayed code will find it below ``files/``."""
    parts = Path(path).parts
    if Path(path).is_absolute() or ".." in parts:
        raise OutputError(f"{path} cannot be carried: only files below the working directory can")
    target = building.joinpath("files", *parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    _sync(target)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    """Have a file or directory reach the disk; systems that cannot open a directory are let be."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.EROFS):
            raise
    finally:
        os.close(descriptor)


def _swap_in(new: Path, out: Path) -> None:
    """Put the directory ``new`` in the place of ``out`` and remove what was there."""
    out = out.resolve() if out.is_symlink() else out
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        if out.exists():
            out.rmdir()
        new.rename(out)
    elif _exchange(new, out):
        shutil.rmtree(new, ignore_errors=True)
    else:
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.old-", dir=out.absolute().parent))
        out.rename(aside / "bundle")
        try:
            new.rename(out)
        except OSError:
            (aside / "bundle").rename(out)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    _sync(out.absolute().parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two directories in one step (Linux 3.15); False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return bool(rename(here, os.fsencode(one.absolute()), here, os.fsencode(other.absolute()), exchange) == 0)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def _failures_as_output_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = FULL_DISK if error.errno in (errno.ENOSPC, errno.EDQUOT) else "choose another --out"
        where = error.filename or out
        raise OutputError(f"cannot write {where}: {error.strerror or error}", hint) from error
