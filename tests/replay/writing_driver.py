"""Run by ``test_publishing.py`` in a process of its own: bundles are written, and what may go wrong goes wrong."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbdag.errors import OutputError
from nbdag.portable.bundlefile import check_blobs
from nbdag.replay import publishing
from nbdag.replay.bundle import Form, publish, write_bundle
from nbdag.replay.compression import Packing
from nbdag.replay.manifests import read_manifest
from nbdag.replay.staging import Earlier
from tests.portable.session import Session
from tests.restoring import plan_of

SIZE = 200_000


def compile_version(out: Path, version: int) -> None:
    """What a compilation does with the disk: a workspace, blobs into it, a candidate, and its publication."""
    from nbdag.model.plan import Load

    session = Session().run(f"v = {version}\nbig = bytearray(b'%08d' % {version} * {SIZE // 8})\ntext = 'x' * {SIZE}")
    with publishing.workspace(out) as work:
        earlier = Earlier(out, work)
        (work / "staging").mkdir()
        groups = [session.encode(work / "staging", name) for name in ("v", "big", "text")]
        bundle = write_bundle(
            plan_of([Load(number, group["names"], 0, 0) for number, group in enumerate(groups)]),
            {"groups": groups},
            work / "staging",
            work / f"bundle{out.suffix}",
            process_state={},
            random_states={},
            provenance={"notebook": f"v{version}"},
            requirements=[],
            reuse=earlier.path,
            form=Form(Packing("zlib" if version % 3 == 0 else "none")),
        )
        publish(work / f"bundle{out.suffix}", out, bundle)


def whole_version(out: Path) -> int:
    """Which version is there; every byte of it is compared. Raises IntegrityError or BundleDamaged."""
    manifest = read_manifest(out)
    check_blobs(str(out), manifest, range(len(manifest["groups"])), every_byte=True)
    return int(manifest["provenance"]["notebook"][1:])


def leftovers(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.iterdir() if path != out)


def kill_at_random(out: Path, times: int, exchange: bool) -> dict[str, Any]:
    """Kill ``times`` compilations; after each the old version is there or the new one, and the next one tidies up."""
    if not exchange:
        publishing._exchange = lambda one, other: False
    compile_version(out, 0)
    begun = time.perf_counter()
    compile_version(out, 0)
    lasts = (time.perf_counter() - begun) * 1.3
    chance = random.Random(17)
    old, found = 0, {"old": 0, "new": 0, "left": 0}
    for number in range(1, times + 1):
        child = os.fork()
        if not child:
            try:
                compile_version(out, number)
            finally:
                os._exit(0)
        time.sleep(chance.random() * lasts)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found["left"] += bool(leftovers(out))
        if not exchange:
            publishing.clean_up(out)  # between two renames there may be nothing: the next compilation puts it back
        version = whole_version(out)
        assert version in (old, number), (version, old, number)
        found["new" if version == number else "old"] += 1
        lasts *= 0.9 if version == number else 1.1  # however fast the machine is: half of them come to their end
        old = version
    compile_version(out, times + 1)
    assert whole_version(out) == times + 1
    return {**found, "leftovers": leftovers(out)}


def refuse_each(out: Path, number_of_error: int) -> dict[str, Any]:
    """Have the n-th operation on files refused, for every n: each is an OutputError, and the old version stays."""
    compile_version(out, 0)
    state: dict[str, int] = {"left": -1}
    events = {"open", "os.link", "os.rename", "os.mkdir", "os.chmod", "shutil.copyfile", "tempfile.mkstemp"}

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in events or state["left"] < 0 or str(out.parent) not in str(arguments[0]):
            return
        if event == "open" and not isinstance(arguments[2], int):
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if state["left"] == 0:
            state["left"] = -1
            raise OSError(number_of_error, os.strerror(number_of_error), str(arguments[0]))
        state["left"] -= 1

    sys.addaudithook(hook)
    refused, version, number = 0, 0, 0
    while True:
        state["left"] = number
        try:
            compile_version(out, number + 1)
        except (OutputError, OSError) as error:
            assert state["left"] == -1, error
            refused += 1
        done = state["left"] >= 0
        state["left"] = -1
        there = whole_version(out)
        assert there in (version, number + 1), (there, version, number)
        version = there
        number += 1
        if done:
            break
        assert number < 500
    compile_version(out, number + 1)
    return {"refused": refused, "operations": number, "leftovers": leftovers(out)}


def limited_files(out: Path) -> dict[str, Any]:
    """No file may become larger than so many bytes: a disk that is full in the middle of a write."""
    import resource

    compile_version(out, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    refused = 0
    for number, limit in enumerate([1, 1000, 65_536, 100_000, SIZE - 1, SIZE, SIZE + 200]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            compile_version(out, number + 1)
        except (OutputError, OSError):
            refused += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert whole_version(out) == 0 or limit > SIZE, limit
    return {"refused": refused, "leftovers": leftovers(out)}


def at_once(out: Path, times: int) -> dict[str, Any]:
    """Several compile into one place at the same time: all succeed, and one of them is there in the end."""
    children = []
    for writer in range(3):
        child = os.fork()
        if not child:
            status = 1
            try:
                for number in range(times):
                    compile_version(out, writer * 1000 + number)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    return {"failed": failed, "last": whole_version(out) % 1000, "leftovers": leftovers(out)}


def on_this_disk(out: Path) -> dict[str, Any]:
    """One compilation on a disk that refuses it: what is said."""
    try:
        compile_version(out, 1)
    except OutputError as error:
        return {"said": error.message, "hint": error.hint, "leftovers": leftovers(out)}
    except OSError as error:
        return {"said": f"{errno.errorcode.get(error.errno or 0)} from the kernel's side", "leftovers": leftovers(out)}
    return {"said": ""}


SCENES: dict[str, Callable[..., dict[str, Any]]] = {
    "kill": lambda out, times: kill_at_random(out, int(times), exchange=True),
    "kill-without-exchange": lambda out, times: kill_at_random(out, int(times), exchange=False),
    "refuse": lambda out, number: refuse_each(out, int(number)),
    "limit": limited_files,
    "at-once": lambda out, times: at_once(out, int(times)),
    "disk": on_this_disk,
}

if __name__ == "__main__":
    print(json.dumps(SCENES[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])))
