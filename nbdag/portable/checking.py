"""All that can be known to go wrong before anything runs: damage of the bundle, and what this machine lacks."""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Sequence

from nbdag.portable.bundlefile import BundleDamaged, check_blob, check_blobs
from nbdag.portable.capacity import room_problems
from nbdag.portable.environment import environment_problems, python_problems
from nbdag.portable.progress_line import ProgressLine
from nbdag.portable.serving import lacks_ipykernel
from nbdag.portable.steps import Load, Replay
from nbdag.portable.telling import bytes_needed, size_text
from nbdag.portable.unpacking import packing_problems

LEAST_ASKED = 64 << 20  # bytes: below this there is room
DIGESTED_PER_SECOND = 1e9  # bytes, about


class Findings:
    """``damage``: nothing may be restored. ``problems``: not all can be, the user decides. ``notes``: good to know,
    ``hints``: where something does not come back."""

    def __init__(self) -> None:
        self.damage: List[str] = []
        self.problems: List[str] = []
        self.notes: List[str] = []
        self.hints: List[str] = []


def examine(place: Any, data: Dict[str, Any], steps: Sequence[Any], options: Any) -> Findings:
    """Check everything that ``steps`` need, and go on after each problem; nothing is imported and nothing runs."""
    found = Findings()
    groups = [step.group for step in steps if isinstance(step, Load)]
    line = ProgressLine(0.0, 1)
    hashed = (
        list(data["blobs"].values()) if options.verify else [head_size(data["groups"], number) for number in groups]
    )
    line.begin("comparing the digests of %s" % size_text(sum(hashed)), sum(hashed) / DIGESTED_PER_SECOND)
    checks: List[Any] = [lambda: check_blobs(place, data, groups, options.verify)]
    for name in ("fallbacks", "history"):  # what is read later, or perhaps, is checked now: nothing ends half-way
        part = data.get(name)
        if isinstance(part, dict):
            checks.append(lambda digest=part.get("blob", ""): check_named_blob(place, data, digest))
    for check in checks:
        try:
            check()
        except BundleDamaged as error:
            if str(error) not in found.damage:
                found.damage.append(str(error))
    line.end()
    groups = [number for number in groups if 0 <= number < len(data["groups"])]
    replays = [] if options.no_replay else [step for step in steps if isinstance(step, Replay)]
    provenance = data.get("provenance") or {}
    python = python_problems(replays, str(provenance.get("python", "")), str(provenance.get("implementation", "")))
    requirements = [] if options.only or options.no_replay else data.get("requirements", [])
    try:
        lacking = environment_problems(replays, data["groups"], requirements, place.folder())
    except OSError as error:
        lacking = (["the input files cannot be unpacked: %s" % error], [])
    found.problems += python[0] + lacking[0]
    found.hints += python[1]
    found.notes += lacking[1]
    parts = [part for group in data["groups"] for part in (group["head"], *group["regions"])]
    if any(isinstance(part, dict) and "codec" in part for part in parts):
        found.problems += packing_problems(data)
    if place.is_archive or sum(bytes_needed(data, groups, options.eager)) >= LEAST_ASKED:
        found.problems += room_problems(data, groups, options.eager, place)
    if (options.kernel or options.install_kernel) and lacks_ipykernel():
        found.problems.append(
            "ipykernel, which runs kernels, is not installed: %s -m pip install ipykernel"
            % (sys.executable or "python")
        )
    withheld = provenance.get("withheld")
    if withheld and not options.only:
        found.notes.append("left behind when it was compiled, as what looks like credentials: %s" % withheld)
    return found


def head_size(groups: Sequence[Any], number: int) -> int:
    """Bytes of the pickle of a group that are in a blob."""
    head = groups[number]["head"] if 0 <= number < len(groups) else b""
    return head["size"] if isinstance(head, dict) else 0


def check_named_blob(place: Any, data: Dict[str, Any], digest: Any) -> None:
    """Compare the digest of a blob that data.msgpack must have; raises BundleDamaged."""
    if digest not in data["blobs"]:
        raise BundleDamaged("data.msgpack names a blob that it does not have")
    check_blob(place, digest)
