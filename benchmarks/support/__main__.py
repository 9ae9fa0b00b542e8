"""``python -m benchmarks.support``: which classes arrive, measured; writes results.json and docs/support.md.

Kernels run in an environment with the newest versions (newer.txt). Bundles are restored there and in one with versions
of some years ago (older.txt), those of Python's own classes under another Python. Both environments are made below
``.corpus/`` when they are not there, which needs the network, room and time;
PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu takes the smaller build of PyTorch.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.support.asking import Unanswered
from benchmarks.support.cases import read_libraries
from benchmarks.support.page import PAGE, RESULTS, Measured, read_results, render, write_results
from benchmarks.support.run import ROOT, measure, versions
from tests.interpreters import interpreters


def environment(name: str) -> str:
    """The interpreter of an environment with what ``NAME.txt`` lists; made if it is not there."""
    folder = ROOT / ".corpus" / f"support-{name}"
    wanted, python = Path(__file__).with_name(f"{name}.txt"), folder / "bin" / "python"
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted.read_text(encoding="utf-8"):
        print(f"making {folder.relative_to(ROOT)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--only-binary", ":all:", "-r", str(wanted)], check=True
        )
        stamp.write_text(wanted.read_text(encoding="utf-8"), encoding="utf-8")
    return str(python)


def another_python() -> str:
    """The newest interpreter of another version than this one: the standard library's other version."""
    here = "cpython {}.{}".format(*sys.version_info)
    others = [path for name, path in interpreters().items() if name.startswith("cpython") and name != here]
    return others[-1] if others else ""


def main() -> int:
    """Measure and write; 1 if a library could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.support", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="session files whose name contains this")
    parser.add_argument("--render", action="store_true", help="write the page from results.json, measure nothing")
    options = parser.parse_args()
    found = {one.name: one for one in (read_results(RESULTS) if RESULTS.exists() else ())}
    failed = 0
    if not options.render:
        newer, older = environment("newer"), environment("older")
        order = [library.name for library in read_libraries()]
        for library in read_libraries(options.only):
            other = older if library.needs != ("python",) else another_python()
            there, elsewhere = versions(newer, library.needs), versions(other, library.needs) if other else {}
            if len(elsewhere) < len(library.needs) or there == elsewhere:
                other = ""
            try:
                with tempfile.TemporaryDirectory(prefix="nbdag-support-") as work:
                    rows = measure(library, Path(work) / "work", newer, other)
            except Unanswered as error:
                print(f"{library.name}: {error}", file=sys.stderr)
                failed += 1
                continue
            found[library.name] = one = Measured(
                library.name, library.heading, there, elsewhere if other else {}, tuple(rows)
            )
            write_results(RESULTS, [found[name] for name in order if name in found])  # as far as it is
            arrived = sum(row.arrived for row in rows)
            print(f"{library.name:20} {len(rows):3} classes, {arrived:3} arrived", *one.odd(), sep="\n    ", flush=True)
    PAGE.write_text(render(read_results(RESULTS)), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
