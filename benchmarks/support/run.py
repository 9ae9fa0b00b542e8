"""One library's session through nbdag: run, compiled with everything stored that can be, restored, and probed.

The kernel, and the process that restores, are of the environment ``python``; ``nbdag`` is of this one. Forcing what can
be stored makes a row say what nbdag *can* do with a class: which way is cheaper depends on the machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.support.asking import Unanswered, ask_kernel, ask_restored
from benchmarks.support.cases import Case, Library

Nbdag = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).resolve().parents[2]

VERSIONS = """
import json, platform, sys
from importlib.metadata import version, PackageNotFoundError
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = platform.python_version() if name == "python" else version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Row:
    """What became of one class.

    ``how``: "stored", "replayed", "lost" or "behind" (compile left it out without a decision); ``reason``: why not
    stored. ``proof``: the result of nbdag's own comparison, with ``detail``. ``probes``: "same" or "differs".
    ``elsewhere``: the same with other versions of the libraries, "" where that was not tried. ``wrong``: the answers
    that differ.
    """

    label: str
    how: str
    reason: str
    proof: str
    detail: str
    probes: str
    elsewhere: str
    wrong: tuple[str, ...] = ()

    @property
    def arrived(self) -> bool:
        """Whether nobody could tell the difference."""
        return self.probes == "same" and self.proof in ("identical", "incomparable", "detached")

    @property
    def travels(self) -> str:
        """How it goes, in a word of the page."""
        return "lost" if self.how == "behind" or self.proof == "missing" else self.how

    @property
    def came_back(self) -> str:
        """What it is like afterwards, in words of the page."""
        if self.travels == "lost":
            return "named as lost"
        if self.probes != "same":
            return "**different answers**" + (", named" if self.proof == "different" else "")
        return {
            "identical": "identical",
            "incomparable": "same answers",
            "detached": "same answers, not shared",
            "different": "same answers, but named as different",
        }[self.proof]

    @property
    def elsewhere_said(self) -> str:
        """The same for other versions."""
        return {"": "", "same": "same answers"}.get(
            self.elsewhere, "**different**" if self.travels != "lost" else "lost"
        )

    @property
    def why(self) -> str:
        """The reason for what is not simply stored and identical."""
        if self.how == "stored" and self.proof == "identical":
            return ""
        return "; ".join(part for part in (self.reason, self.detail if self.how == "stored" else "") if part)


def versions(python: str, needs: tuple[str, ...]) -> dict[str, str]:
    """Which of the distributions ``python`` has, by name."""
    done = subprocess.run([python, "-c", VERSIONS, *needs], capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def measure(library: Library, work: Path, python: str, older: str = "") -> list[Row]:
    """One row per case. ``older``: an interpreter of an environment with other versions. Raises Unanswered."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "live").mkdir(parents=True)
    shutil.copy(library.path, work / "live" / "session.py")
    spec = work / "jupyter" / "kernels" / "support" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "support", "language": "python"}))
    variables = dict(os.environ, JUPYTER_PATH=str(work / "jupyter"), MPLBACKEND="agg", PYTHONHASHSEED="0")
    variables.pop("PYTHONPATH", None)

    def nbdag(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "cli.py"), *arguments]
        return subprocess.run(
            command, cwd=work / "live", env=variables, capture_output=True, text=True, timeout=900, check=False
        )

    try:
        told = nbdag(
            "analyze", "session.py", "-k", "support", "--format", "json", "--no-progress-bar", "--allow-errors"
        )
        if told.returncode not in (0, 1):
            raise Unanswered(f"analyze ended with {told.returncode}: {told.stderr.strip()[-300:]}")
        analysis = json.loads(told.stdout)
        failed = [f"cell {cell['index'] + 1}: {cell['error']}" for cell in analysis["cells"] if cell["error"]]
        if failed:
            raise Unanswered("; ".join(failed))
        ours = {case.variable for case in library.cases}
        stored = [one["name"] for one in analysis["variables"] if one["storable"] and one["kind"] == "data"]
        stored = [name for name in stored if name in ours]
        report = _compile(nbdag, stored)
        spoiled = {one["name"] for one in report["verdict"]["comparisons"] if one["result"] in ("different", "missing")}
        if spoiled & set(stored):
            report = _compile(nbdag, [name for name in stored if name not in spoiled])
        connection = json.loads(nbdag("sessions", "--format", "json").stdout)["sessions"][0]["connection_file"]
        probes = {case.variable: case.probes for case in library.cases}
        before = ask_kernel(connection, probes, work / "before.json")
    finally:
        nbdag("stop", "--all")
    after = ask_restored(python, work / "bundle", work / "after", probes, variables)
    other = ask_restored(older, work / "bundle", work / "other", probes, variables) if older else {}
    return [_row(case, report, analysis, before, after, other) for case in library.cases]


def _compile(nbdag: Nbdag, stored: Sequence[str]) -> dict[str, Any]:
    asked = [word for name in stored for word in ("--store", name)]
    compiled = nbdag("compile", "--out", "../bundle", "--format", "json", *asked)
    if compiled.returncode not in (0, 1):
        raise Unanswered(f"compile ended with {compiled.returncode}: {compiled.stderr.strip()[-300:]}")
    return dict(json.loads(compiled.stdout))


def _row(case: Case, report: dict[str, Any], analysis: dict[str, Any], before: Any, after: Any, other: Any) -> Row:
    name = case.variable
    how, reason = "behind", ""
    for decision in report["plan"]["decisions"]:
        if name in decision["names"]:
            how = {"store": "stored", "replay": "replayed", "lose": "lost"}[decision["action"]]
            reason = decision["reason"]
    for variable in analysis["variables"]:
        if variable["name"] == name and variable["obstacle"]:
            reason = variable["obstacle"]
    proof, detail = "", ""
    for comparison in report["verdict"]["comparisons"]:
        if comparison["name"] == name:
            proof, detail = comparison["result"], comparison["detail"]
    asked = before[name]
    unfit = [answer for answer in asked if answer.startswith("raises ")]
    if unfit:
        raise Unanswered(f"{name}: the probe fails in the live session: {unfit[0]}")
    shown = asked[-1].removeprefix("builtins.").removeprefix("__main__.")
    if shown.rpartition(".")[2] != case.kind.rpartition(".")[2]:
        raise Unanswered(f"{name} is a {shown}, not a {case.kind}")

    def judge(answers: dict[str, list[str]]) -> str:
        if not answers:
            return ""
        # The last entry is the type's own name, which a library may move between versions.
        return "same" if answers[name][:-1] == asked[:-1] else "differs"

    wrong = [f"{here} -> {there}" for here, there in zip(asked, after.get(name, asked), strict=False) if here != there]
    wrong += [
        f"{here} ->> {there}" for here, there in zip(asked, other.get(name, asked), strict=False) if here != there
    ]
    if reason == "--store asks for it":
        reason = ""
    return Row(case.label, how, reason, proof, detail, judge(after), judge(other), tuple(wrong))
