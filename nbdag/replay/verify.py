"""The proof: restore a bundle in a fresh process, elsewhere, and compare every variable with the live session.

Both sides testify in digests that do not depend on the process (``portable/digest.py``), so that neither has to hold
the other's values. A value that the live session itself cannot give a stable digest of is "incomparable", never
"identical".
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from nbdag.errors import IntegrityError
from nbdag.kept_scripts import kept_script
from nbdag.link import link
from nbdag.model.bundle import Comparison, Verdict
from nbdag.portable.digest import difference_path
from nbdag.runtime import packed_parts

IDENTICAL, INCOMPARABLE, DETACHED, DIFFERENT, MISSING = (
    "identical",
    "incomparable",
    "detached",  # the value is identical, but it shares state with other variables than it did
    "different",
    "missing",
)

GOOD = frozenset({IDENTICAL, INCOMPARABLE})

BADNESS = {DETACHED: 1, DIFFERENT: 10, MISSING: 15}
"""What is worse when two bundles are compared: a value that is other, and named, outweighs sharing that a library's own
pickling drops; one that is not there at all outweighs both."""

PATIENCE = 3600.0
"""Seconds after which a restore that has not ended counts as hanging."""

DRIVER = """
import json, sys, types
module = types.ModuleType("nbdag_witness")
sys.modules["nbdag_witness"] = module
with open(sys.argv[1], encoding="utf-8") as file:
    exec(compile(file.read(), sys.argv[1], "exec"), module.__dict__)
with open(sys.argv[3], encoding="utf-8") as file:
    names = json.load(file)
module.restore_and_testify(sys.argv[2], names, sys.argv[4])
"""


class Commands(Protocol):
    """The agent in the user's kernel (``docs/architecture.md``)."""

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Testimony:
    """What one process says its variables are."""

    values: Mapping[str, Any]
    shared: frozenset[frozenset[str]]
    verdict: Verdict = field(default_factory=Verdict)
    holding: frozenset[frozenset[str]] = frozenset()  # names that hold one function or class, or each other weakly
    together: frozenset[frozenset[str]] = frozenset()  # names that reach one object, in groups of three and more
    overlapping: frozenset[frozenset[str]] | None = frozenset()  # the same of arrays; None where nobody can tell

    @classmethod
    def of_kernel(cls, agent: Commands, path: Path, names: Sequence[str] | None = None) -> Testimony:
        """Ask the live session: about ``names``, or about all that it has."""
        agent.command("digest", {"path": str(path), "names": names})
        return cls.parse(json.loads(path.read_text(encoding="utf-8")))

    def without_restless(self, agent: Commands, path: Path, names: Sequence[str]) -> Testimony:
        """With those of ``names`` as incomparable that do not even agree with themselves, asked twice in a row.

        What changed once since the first time (encoding may do that) stays as it was then.
        """
        first, second = (self.of_kernel(agent, path, names) for _ in range(2))
        restless = {name for name in names if first.values.get(name) != second.values.get(name)}
        told = dict.fromkeys(sorted(restless), "?its digest changes from look to look")
        return replace(self, values={**self.values, **told})

    @classmethod
    def parse(cls, said: Mapping[str, Any], verdict: Verdict = Verdict()) -> Testimony:
        holding = frozenset(frozenset(group) for group in said.get("holding", ()))
        together = frozenset(frozenset(group) for group in said.get("together", ()))
        overlapping = None if said.get("copies_on_write") else frozenset(map(frozenset, said.get("overlapping", ())))
        return cls(said["values"], frozenset(map(frozenset, said["shared"])), verdict, holding, together, overlapping)


def restore_and_testify(bundle: Path, executable: str, work: Path, names: Sequence[str]) -> Testimony:
    """Run ``bundle``'s restore.py under ``executable`` in an empty directory under ``work``.

    Raises IntegrityError when nothing came back at all: then the bundle is broken and not merely incomplete.
    """
    elsewhere = work / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    witness, wanted, answer = work / "witness.py", work / "names.json", work / "restored.json"
    if not witness.exists():
        witness.write_text(kept_script("witness", witness_source), encoding="utf-8")
    wanted.write_text(json.dumps(list(names)), encoding="utf-8")
    answer.unlink(missing_ok=True)
    command = [executable or sys.executable, "-c", DRIVER]
    command += [str(path.absolute()) for path in (witness, script_of(bundle), wanted, answer)]
    try:
        done = subprocess.run(
            command, cwd=elsewhere, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise IntegrityError(f"restoring did not end within {PATIENCE:.0f} s", "compile with --no-verify") from None
    messages = done.stderr.decode("utf-8", "replace")
    try:
        said = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = (messages.strip().splitlines() or ["no message"])[-1]
        raise IntegrityError(
            f"the bundle did not restore in a fresh process (exit status {done.returncode}): {last}",
            "compile with --no-verify keeps it all the same; please report this",
        ) from None
    notes = tuple(line for line in messages.splitlines() if line.strip())
    verdict = Verdict(restore_seconds=said["seconds"], exit_status=said["status"], notes=notes)
    return Testimony.parse(said, verdict)


def witness_source() -> str:
    """The witness as a script that keeps what it compiled (``portable/parts.py``): compiling takes 60 ms."""
    core = link(["nbdag.portable.parts"], annotations=False)
    return core + packed_parts({"witness": link(["nbdag.portable.witness"])})


def script_of(bundle: Path) -> Path:
    """What Python is given to restore ``bundle``: a directory's restore.py, an archive itself."""
    return bundle if bundle.is_file() else bundle / "restore.py"


def compare(live: Testimony, restored: Testimony, names: Sequence[str]) -> tuple[Comparison, ...]:
    """One comparison per name of ``names``, in their order: value first, then with whom it shares state."""
    wanted = frozenset(names)
    return tuple(_compare_one(name, live, restored, wanted) for name in names)


def compare_with_kernel(
    live: Testimony, restored: Testimony, names: Sequence[str], agent: Commands, path: Path
) -> tuple[Testimony, tuple[Comparison, ...]]:
    """As :func:`compare`; what differs is looked at again in the live session, which costs as much as the first look
    did. Also what is known of the session then."""
    found = compare(live, restored, names)
    differing = [one.name for one in found if one.result == DIFFERENT]
    if not differing:
        return live, found
    live = live.without_restless(agent, path, differing)
    return live, compare(live, restored, names)


def _compare_one(name: str, live: Testimony, restored: Testimony, wanted: frozenset[str]) -> Comparison:
    if name not in restored.values:
        return Comparison(name, MISSING)
    ours, theirs = live.values.get(name), restored.values[name]
    reason = incomparable(ours)
    if reason:
        return Comparison(name, INCOMPARABLE, reason)
    if ours != theirs:
        return Comparison(name, DIFFERENT, difference_path(ours, theirs))
    both_count = live.overlapping is not None and restored.overlapping is not None
    before, after = _partners(name, live.shared, wanted), _partners(name, restored.shared, wanted)
    if before != after:
        split, joined = ", ".join(sorted(before - after)), ", ".join(sorted(after - before))
        detail = f"no longer shares state with {split}" if split else f"shares state with {joined}"
        return Comparison(name, DETACHED, detail)
    near, now = (_beside(name, said, both_count, wanted) for said in (live, restored))
    if near != now and _shares_with_several(name, live) and _shares_with_several(name, restored):
        split, joined = ", ".join(sorted(near - now)), ", ".join(sorted(now - near))
        detail = f"no longer shares a part with {split}" if split else f"shares a part with {joined}"
        return Comparison(name, DETACHED, detail)
    held, kept = _holding(name, live.holding, wanted), _holding(name, restored.holding, wanted)
    if held != kept:
        others = frozenset().union(*(held ^ kept)) - {name}
        detail = f"holds no longer the same functions, classes or weakly held objects as {', '.join(sorted(others))}"
        return Comparison(name, DETACHED, detail)
    return Comparison(name, IDENTICAL)


def _partners(name: str, groups: frozenset[frozenset[str]], wanted: frozenset[str]) -> frozenset[str]:
    return next((group & wanted - {name} for group in groups if name in group), frozenset())


def _shares_with_several(name: str, said: Testimony) -> bool:
    """Whether it is told who shares with whom: of two that share there is nothing more to tell."""
    return any(name in group and len(group) > 2 for group in said.shared)


def _beside(name: str, said: Testimony, arrays: bool, wanted: frozenset[str]) -> frozenset[str]:
    groups = [*said.together, *(said.overlapping or () if arrays else ())]
    return frozenset().union(*(group for group in groups if name in group)) & wanted - {name}


def _holding(name: str, groups: frozenset[frozenset[str]], wanted: frozenset[str]) -> frozenset[frozenset[str]]:
    found = frozenset(group & wanted for group in groups if name in group)
    return frozenset(group for group in found if len(group) > 1)


def badness(comparisons: Sequence[Comparison]) -> int:
    """How far a bundle is from restoring everything as it was; 0 is perfect."""
    return sum(BADNESS.get(comparison.result, 0) for comparison in comparisons)


def incomparable(tree: Any) -> str:
    """Why a digest tree cannot be compared as a whole, "" if it can."""
    if isinstance(tree, str) and tree.startswith("?"):
        return tree[1:]
    return ""
