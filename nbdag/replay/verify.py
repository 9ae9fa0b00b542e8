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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nbdag.errors import IntegrityError
from nbdag.kept_scripts import kept_script
from nbdag.link import link
from nbdag.model.bundle import Comparison, Verdict
from nbdag.portable.digest import difference_path

IDENTICAL, INCOMPARABLE, DETACHED, DIFFERENT, MISSING = (
    "identical",
    "incomparable",
    "detached",  # the value is identical, but it shares state with other variables than it did
    "different",
    "missing",
)

GOOD = frozenset({IDENTICAL, INCOMPARABLE})

BADNESS = {DETACHED: 1, DIFFERENT: 10, MISSING: 10}
"""What is worse when two bundles are compared: a wrong value outweighs sharing that a library's own pickling drops."""

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

    @classmethod
    def of_kernel(cls, agent: Commands, path: Path) -> Testimony:
        """Ask the live session, twice: what does not even agree with itself cannot be compared."""
        first, second = (cls._ask(agent, path) for _ in range(2))
        stable = {
            name: tree if second.values.get(name) == tree else "?its digest changes from look to look"
            for name, tree in first.values.items()
        }
        return cls(stable, first.shared, holding=first.holding)

    @classmethod
    def _ask(cls, agent: Commands, path: Path) -> Testimony:
        agent.command("digest", {"path": str(path), "names": None})
        return cls.parse(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def parse(cls, said: Mapping[str, Any], verdict: Verdict = Verdict()) -> Testimony:
        holding = frozenset(frozenset(group) for group in said.get("holding", ()))
        return cls(said["values"], frozenset(frozenset(group) for group in said["shared"]), verdict, holding)


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
    return f"{core}\nPARTS['witness'] = {link(['nbdag.portable.witness'])!r}\nstart_parts()\n"


def script_of(bundle: Path) -> Path:
    """What Python is given to restore ``bundle``: a directory's restore.py, an archive itself."""
    return bundle if bundle.is_file() else bundle / "restore.py"


def compare(live: Testimony, restored: Testimony, names: Sequence[str]) -> tuple[Comparison, ...]:
    """One comparison per name of ``names``, in their order: value first, then with whom it shares state."""
    wanted = frozenset(names)
    return tuple(_compare_one(name, live, restored, wanted) for name in names)


def _compare_one(name: str, live: Testimony, restored: Testimony, wanted: frozenset[str]) -> Comparison:
    if name not in restored.values:
        return Comparison(name, MISSING)
    ours, theirs = live.values.get(name), restored.values[name]
    reason = incomparable(ours)
    if reason:
        return Comparison(name, INCOMPARABLE, reason)
    if ours != theirs:
        return Comparison(name, DIFFERENT, difference_path(ours, theirs))
    before, after = _partners(name, live.shared, wanted), _partners(name, restored.shared, wanted)
    if before != after:
        split, joined = ", ".join(sorted(before - after)), ", ".join(sorted(after - before))
        detail = f"no longer shares state with {split}" if split else f"shares state with {joined}"
        return Comparison(name, DETACHED, detail)
    held, kept = _holding(name, live.holding, wanted), _holding(name, restored.holding, wanted)
    if held != kept:
        others = frozenset().union(*(held ^ kept)) - {name}
        detail = f"holds no longer the same functions, classes or weakly held objects as {', '.join(sorted(others))}"
        return Comparison(name, DETACHED, detail)
    return Comparison(name, IDENTICAL)


def _partners(name: str, groups: frozenset[frozenset[str]], wanted: frozenset[str]) -> frozenset[str]:
    return next((group & wanted - {name} for group in groups if name in group), frozenset())


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
