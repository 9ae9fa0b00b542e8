"""What really happened against what static analysis allows: ``python benchmarks/differential.py [--only TEXT]``.

Over the corpus (``benchmarks/corpus.py`` fetches it) and the sessions of ``tests/fidelity/sessions.py``, two witnesses:

- the recorder: which names a statement bound, deleted and changed in place;
- a watched namespace (``watching.py``): which names it read before it bound them, bound and deleted.

| observed | must be allowed by the statement's text |
|---|---|
| read (watched namespace) | READ, MUTATE or DELETE, MUST or MAY |
| bound | BIND |
| deleted | DELETE |
| changed in place | MUTATE, by one of the statements since the recorder last looked at the name; see below |
| promised: MUST bind, delete or read | it happened, if the statement completed (watched namespace) |

An opaque statement allows everything. Three classes of changes are counted in columns of their own:

- *linked*: the recorder reports a whole co-variable (a model with the data it was made of) when it cannot see which
  part changed, and the text allows a change of another of its names. ``mutation.py`` closes over links in the same way.
- *property*: no call changed it but reading an attribute of a library's object, or iterating over it, and the object
  computes and keeps what it is asked for (``results.params``, ``for key, part in grouped``). No text says so.
- *first look*: the name was bound in this very execution and never looked at since. Having nothing to compare it with,
  the recorder counts it as changed by whatever could reach it (``portable/looking.py``).

Prints a table (executions, observed facts, how many lie outside) and what lies outside; exit status 1 if something lies
outside that is not explained in EXPLAINED.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from benchmarks.watching import observe  # noqa: E402
from nbdag.analysis.alignment import Unit, align  # noqa: E402
from nbdag.analysis.cells import analyze_cell  # noqa: E402
from nbdag.analysis.resolve import resolve  # noqa: E402
from nbdag.analysis.trace import read_trace  # noqa: E402
from nbdag.model.facts import Access, AccessKind, CellFacts, Certainty, Statement  # noqa: E402
from nbdag.model.trace import Trace  # noqa: E402

USES = (AccessKind.READ, AccessKind.MUTATE, AccessKind.DELETE)

# (notebook or session, what, name) -> why it is right that the text does not allow it: a reason, not an excuse.
EXPLAINED: dict[tuple[str, str, str], str] = {
    ("a late thread", "read", "time"): "another thread read it while this statement ran",
    ("a late thread", "read", "out"): "another thread read it while this statement ran",
    ("a change by a signal", "read", "hits"): "a signal's handler read it while this statement ran",
    ("a change by a signal", "changed", "hits"): "a signal's handler changed it between two looks",
    # test_differential.py: norm differs after norm.rvs(), and as much after np.random.random().
    (
        "distributed_estimation",
        "changed",
        "norm",
    ): "it holds NumPy's global generator, which drew",
    # test_differential.py: box has no fingerprint, so what is linked with it counts as changed whenever it is reached.
    ("an object with a lock", "changed", "Box"): "linked with box, which holds a lock and has no fingerprint",
    ("handlers, filters and locks", "changed", "h"): "a handler holds a lock and has no fingerprint",
    ("handlers, filters and locks", "changed", "buf"): "linked with h, which holds a lock and has no fingerprint",
    ("handlers, filters and locks", "read", "seen"): "by a filter of the logger that another getLogger('app') added",
    ("handlers, filters and locks", "changed", "seen"): "by a filter of the logger that another getLogger('app') added",
    # A figure's fingerprint differs even twice in a row, and pyplot holds every figure.
    **{
        ("figures and their numbers", "changed", name): "a figure counts as changed by what reaches pyplot"
        for name in ("fig", "fig2", "ax", "line")
    },
    (
        "line",
        "changed",
        "rcParams",
    ): "an option of a library: replayed as <options>, not by this name",
}


@dataclass(frozen=True)
class Outside:
    """One observed fact that the text does not allow."""

    where: str
    what: str
    name: str
    cell: int
    text: str

    def __str__(self) -> str:
        line = " / ".join(self.text.strip().splitlines())[:110]
        return f"  {self.where}: cell {self.cell + 1} {self.what} {self.name}: {line}"


@dataclass
class Tally:
    """What one notebook or session showed."""

    name: str
    executions: int = 0
    statements: int = 0
    facts: int = 0
    opaque: int = 0  # statements about which everything is allowed
    linked: int = 0
    property: int = 0
    first: int = 0
    outside: list[Outside] = field(default_factory=list)
    problem: str = ""

    def check(self, what: str, observed: Iterable[str], allowed: Iterable[str], cell: int, text: str) -> None:
        seen = frozenset(observed)
        self.facts += len(seen)
        self.outside += [Outside(self.name, what, name, cell, text) for name in sorted(seen.difference(allowed))]


def names(accesses: Iterable[Access], *kinds: AccessKind, must: bool = False) -> frozenset[str]:
    """Names of what happens now, not when a function that is made here is called."""
    return frozenset(
        access.name
        for access in accesses
        if access.kind in kinds and not access.deferred and (not must or access.certainty is Certainty.MUST)
    )


# ------------------------------------------------------------------------------------------------ the recorder


def check_trace(trace: Trace, tally: Tally) -> None:
    """What the recorder saw of each execution against the facts of its text."""
    executions = [execution for execution in trace.executions if execution.known]
    facts = resolve([analyze_cell(execution.source) for execution in executions])
    inner = {execution.ordinal: [] for execution in executions}
    for execution in executions:
        if execution.parent is not None:
            inner[execution.parent].append(execution)
    before: tuple[tuple[str, ...], ...] = ()
    for execution, own in zip(executions, facts, strict=True):
        if execution.parent is not None:
            continue
        tally.executions += 1
        units = align(own, execution, inner[execution.ordinal])
        groups = [frozenset(group) for group in (*before, *execution.covariables)]
        before = execution.covariables
        _check_units(units, execution.ordinal, groups, tally)


def _check_units(units: Sequence[Unit], cell: int, groups: Sequence[frozenset[str]], tally: Tally) -> None:
    since: dict[str, list[Statement]] = {}  # name -> statements that may have changed it unseen
    fresh: set[str] = set()  # bound here, and not looked at since
    group: list[Statement] = []
    for unit in units:
        group.append(unit.statement)
        run = unit.run
        if run is None or not unit.last:
            continue
        accesses = [access for statement in group for access in statement.accesses]
        text = "\n".join(statement.python or "" for statement in group)
        opaque = any(statement.opaque for statement in group)
        tally.statements += 1
        tally.opaque += opaque
        if opaque:
            tally.facts += len(run.bound) + len(run.deleted) + len(run.changed)
        else:
            bound = names(accesses, AccessKind.BIND)
            tally.check("bound", run.bound, bound, cell, text)
            tally.check("deleted", run.deleted, names(accesses, AccessKind.DELETE), cell, text)
        for name in run.reached:
            since.setdefault(name, []).extend(group)
        suspects = {name: since.pop(name, []) or list(group) for name in run.changed}
        opened = {name for name, guilty in suspects.items() if any(statement.opaque for statement in guilty)}
        allowed = {
            name: names((access for one in guilty for access in one.accesses), AccessKind.MUTATE, AccessKind.BIND)
            for name, guilty in suspects.items()
        }
        said = {name for name in run.changed if name in opened or name in _mutated(suspects[name])}
        for name in run.changed:
            if not opaque and name not in opened:
                excused = name in said
                linked = frozenset((name,)).union(*(group for group in groups if name in group))
                if not excused and linked & (allowed[name] | said):
                    tally.linked += 1
                    excused = True
                elif not excused and linked & frozenset().union(
                    *(_looked_into(one.python or "") for one in suspects[name])
                ):
                    tally.property += 1
                    excused = True
                elif not excused and name in fresh:
                    tally.first += 1
                    excused = True
                tally.check("changed", [name], [name] if excused else [], cell, text)
        looked = set(run.reached) - set(run.unseen)
        for name in looked:
            since.pop(name, None)
        fresh = (fresh - looked - set(run.changed)) | set(run.bound)
        group = []


def _mutated(suspects: Iterable[Statement]) -> frozenset[str]:
    return names((access for one in suspects for access in one.accesses), AccessKind.MUTATE)


def _looked_into(text: str) -> frozenset[str]:
    """Names of which ``text`` reads an attribute that it does not call, and those it iterates over."""
    tree = ast.parse(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    iterated = [node.iter for node in ast.walk(tree) if isinstance(node, (ast.For, ast.comprehension))]
    return frozenset(node.id for node in iterated if isinstance(node, ast.Name)) | frozenset(
        node.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and id(node) not in called and isinstance(node.value, ast.Name)
    )


# ------------------------------------------------------------------------------------------------ the watched namespace


def texts_of(facts: Sequence[CellFacts]) -> list[list[tuple[int, int, str]]]:
    """The statements of a session as ``watching.py`` runs them; what no plain Python can do is left out."""
    return [
        [(number, statement.index, statement.python) for statement in cell.statements if statement.python]
        for number, cell in enumerate(facts)
    ]


def check_watched(records: Sequence[dict[str, Any]], facts: Sequence[CellFacts], tally: Tally) -> None:
    """What the namespace told of each statement against the statement's facts."""
    for record in records:
        statement = facts[record["cell"]].statements[record["statement"]]
        if statement.opaque:
            tally.facts += sum(len(record[key]) for key in ("read", "bound", "deleted"))
            continue
        accesses, cell, text = statement.accesses, record["cell"], statement.python or ""
        tally.check("read", _users(record["read"]), names(accesses, *USES), cell, text)
        tally.check("bound", _users(record["bound"]), names(accesses, AccessKind.BIND), cell, text)
        tally.check("deleted", _users(record["deleted"]), names(accesses, AccessKind.DELETE), cell, text)
        if record["completed"]:
            gone = set(record["deleted"])
            promised = names(accesses, AccessKind.BIND, must=True) - gone
            tally.check("did not bind", promised, record["set"], cell, text)
            tally.check("did not delete", names(accesses, AccessKind.DELETE, must=True), gone, cell, text)


def _users(found: Iterable[str]) -> list[str]:
    return [name for name in found if not (name.startswith("__") and name.endswith("__"))]


# ------------------------------------------------------------------------------------------------ sessions


def tally_session(name: str, cells: Sequence[str]) -> Tally:
    """Both witnesses over a small session, each in a process of its own that is a copy of this one (POSIX)."""
    tally = Tally(name)
    facts = resolve([analyze_cell(cell) for cell in cells])
    with tempfile.TemporaryDirectory(prefix="nbdag-differential-") as folder:
        place = Path(folder)
        texts = texts_of(facts)
        if _in_copy(lambda: _watch_here(texts, place / "watched.json"), place / "one"):
            check_watched(json.loads((place / "watched.json").read_text("utf-8")), facts, tally)
        else:
            tally.problem += "the watched namespace left nothing "
        if _in_copy(lambda: _record_here(cells, place / "trace.json"), place / "two"):
            check_trace(read_trace(place / "trace.json"), tally)
        else:
            tally.problem += "the recorder left nothing"
    return tally


def _in_copy(work: Any, folder: Path) -> bool:
    """Whether ``work()`` succeeded in a fork of this process, working in ``folder``."""
    folder.mkdir()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(folder)
            sys.path.insert(0, "")
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            sys.stdout = io.StringIO()
            work()
            status = 0
        finally:
            os._exit(status)  # not one hook of pytest or atexit may run twice
    return os.waitpid(child, 0)[1] == 0


def _watch_here(texts: list[list[tuple[int, int, str]]], path: Path) -> None:
    path.write_text(json.dumps(observe(texts)), "utf-8")


def _record_here(cells: Sequence[str], path: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    from nbdag.portable import agent

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.ipython_dir = str(Path.cwd() / "ipython")
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    agent.command("start", {"late": False})
    for cell in cells:
        with contextlib.suppress(SystemExit):
            shell.run_cell(cell, store_history=True)
    answer = agent.command("trace", {"path": str(path)})
    assert "error" not in answer, answer


# ------------------------------------------------------------------------------------------------ the corpus


def tally_notebook(path: Path, jupyter: Path, python: Path) -> Tally:
    """The recorder in a real kernel, and the watched namespace in a process of the kernel's interpreter."""
    from nbdag.analysis.agent_client import KernelAgent
    from nbdag.analysis.kernels import stop_session
    from nbdag.analysis.live import run_in_session
    from nbdag.analysis.notebook import read_notebook
    from nbdag.progress import Silent

    tally = Tally(path.stem)
    notebook = read_notebook(path)
    os.environ.update(JUPYTER_PATH=str(jupyter), MPLBACKEND="agg")
    with tempfile.TemporaryDirectory(prefix="nbdag-differential-") as folder:
        place = Path(folder)
        session = run_in_session(
            notebook,
            kernel_name="corpus",
            allow_errors=True,
            state_directory=place / "state",
            cell_timeout=240,
            idle_seconds=600,
            progress=Silent(),
        )
        try:
            with KernelAgent(session.connection_file) as agent:
                agent.command("trace", {"path": str(place / "trace.json")})
        finally:
            stop_session(session)
        trace = read_trace(place / "trace.json")
        check_trace(trace, tally)
        facts = resolve([analyze_cell(cell.source) for cell in notebook.cells])
        (place / "session.json").write_text(json.dumps(texts_of(facts)), "utf-8")
        done = subprocess.run(
            [str(python), str(HERE / "watching.py"), str(place / "session.json"), str(place / "watched.json")],
            cwd=path.parent,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            tally.problem = done.stderr.strip()[-200:]
        else:
            check_watched(json.loads((place / "watched.json").read_text("utf-8")), facts, tally)
    return tally


def corpus(only: str) -> Iterable[tuple[Path, Path, Path]]:
    """Notebook, kernelspecs, interpreter."""
    from benchmarks.corpus import CACHE, environment, fetch, tomllib

    settings = tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))
    jupyter = environment(settings["install"])
    for source in settings["source"]:
        for path in source["notebooks"]:
            if only in path:
                yield fetch(source["sdist"]) / path, jupyter, CACHE / "venv" / "bin" / "python"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="notebooks and sessions whose name contains this text")
    parser.add_argument("--sessions", action="store_true", help="only the small sessions")
    parser.add_argument("--corpus", action="store_true", help="only the corpus")
    options = parser.parse_args()
    tallies: list[Tally] = []
    print(
        f"{'notebook':44} {'runs':>5} {'statements':>10} {'opaque':>6} {'facts':>6} {'linked':>6} {'property':>8} "
        f"{'first':>5} {'outside':>7}"
    )
    if not options.sessions:
        for path, jupyter, python in corpus(options.only):
            tallies.append(tally_notebook(path, jupyter, python))
            print(line(tallies[-1]), flush=True)
    if not options.corpus:
        from tests.fidelity.sessions import SESSIONS

        whole = Tally("sessions of tests/fidelity")
        for session in SESSIONS:
            if options.only in session.name:
                tallies.append(tally_session(session.name, session.cells))
                for key in ("executions", "statements", "opaque", "facts", "linked", "property", "first", "outside"):
                    setattr(whole, key, getattr(whole, key) + getattr(tallies[-1], key))
        print(line(whole))
    outside = [found for tally in tallies for found in tally.outside]
    for found in outside:
        print(found, EXPLAINED.get((found.where, found.what, found.name), ""))
    problems = [f"  {tally.name}: {tally.problem}" for tally in tallies if tally.problem]
    print("\n".join(problems))
    unexplained = [found for found in outside if (found.where, found.what, found.name) not in EXPLAINED]
    facts = sum(tally.facts for tally in tallies)
    print(f"{facts} facts, {len(outside)} outside, {len(unexplained)} of them not explained, {len(problems)} problems")
    return 1 if unexplained or problems else 0


def line(tally: Tally) -> str:
    """A row of the table."""
    return (
        f"{tally.name[:44]:44} {tally.executions:5} {tally.statements:10} {tally.opaque:6} {tally.facts:6} "
        f"{tally.linked:6} {tally.property:8} {tally.first:5} {len(tally.outside):7}"
    )


if __name__ == "__main__":
    sys.exit(main())
