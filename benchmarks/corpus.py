"""``make corpus``: real notebooks of other people, analyzed, compiled, restored in a fresh process and compared.

    python benchmarks/corpus.py [--only TEXT] [--keep] [--ways]

Everything is fetched into ``.corpus/`` (not part of the repository): source distributions by ``unearth``, and one
environment in which all kernels run; nbdag itself runs in another one, as it does for a user. Prints a table and writes
``.corpus/results.json``. Exit status 1 when a variable came back wrong or a notebook could not be compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".corpus"


def call(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, text=True, capture_output=True, check=False, **options)


def fetch(sdist: str) -> Path:
    """The unpacked source distribution ``name==version``."""
    folder = CACHE / "sdists" / sdist
    if not folder.is_dir():
        download = CACHE / "downloads" / sdist
        done = call([sys.executable, "-m", "unearth", "--no-binary", sdist, "--download", str(download)])
        archives = list(download.rglob("*.tar.gz")) if download.is_dir() else []
        if not archives:
            sys.exit(f"cannot fetch {sdist}: {done.stderr.strip()[-300:]}")
        unpacked = folder.with_name(folder.name + ".part")
        shutil.rmtree(unpacked, ignore_errors=True)
        with tarfile.open(archives[0]) as archive:
            archive.extractall(unpacked, filter="data")
        unpacked.rename(folder)
    return next(path for path in sorted(folder.iterdir()) if path.is_dir())


def environment(install: list[str]) -> Path:
    """The environment of the kernels: its share/jupyter path, holding a kernelspec called ``corpus``."""
    venv, stamp = CACHE / "venv", CACHE / "venv" / "installed.json"
    if not stamp.exists() or json.loads(stamp.read_text()) != install:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "python"), "-m", "pip", "install", "-q", *install], check=True)
        stamp.write_text(json.dumps(install))
    spec = CACHE / "jupyter" / "kernels" / "corpus" / "kernel.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    argv = [str(venv / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "corpus", "language": "python"}))
    return CACHE / "jupyter"


def measure(notebook: Path, jupyter: Path, work: Path, ways: bool = False) -> dict[str, Any]:
    """Analyze and compile ``notebook`` as a user would; what the two commands said, as one row.

    ``ways``: also the same session with everything stored, and with everything replayed, each restored by the clock.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    variables = dict(os.environ, JUPYTER_PATH=str(jupyter), MPLBACKEND="agg")
    nbdag = [sys.executable, str(ROOT / "cli.py")]
    row: dict[str, Any] = {"notebook": notebook.name}
    begun = time.perf_counter()
    done = call(
        [*nbdag, "analyze", str(notebook), "--kernel-name", "corpus", "--format", "json", "--no-progress-bar"],
        cwd=work,
        env=variables,
    )
    row["analyze_seconds"] = time.perf_counter() - begun
    if done.returncode:
        return row | {"problem": f"analyze {done.returncode}: {done.stderr.strip()[-300:]}"}
    row["run_seconds"] = sum(cell["seconds"] or 0.0 for cell in json.loads(done.stdout)["cells"])
    begun = time.perf_counter()
    done = call([*nbdag, "compile", "--out", "bundle", "--format", "json"], cwd=work, env=variables)
    row["compile_seconds"] = time.perf_counter() - begun
    if done.returncode not in (0, 1):
        return row | {"problem": f"compile {done.returncode}: {done.stderr.strip()[-300:]}"}
    row["report"] = json.loads(done.stdout)
    if ways:
        row["ways"] = compare_ways(row["report"], nbdag, work, variables)
    call([*nbdag, "stop", "--all"], cwd=work, env=variables)
    return row


def compare_ways(report: dict[str, Any], nbdag: list[str], work: Path, variables: dict[str, str]) -> dict[str, Any]:
    """By way: what the cost model says of it, and what restoring it takes by the clock (the best of three).

    Store-all and replay-all are bundles of their own, made by ``--store`` and ``--replay`` of every name that
    can go that way. "per-cell" is worked out and not built: a bundle replays statements.
    """
    python = str(CACHE / "venv" / "bin" / "python")
    found = {way["name"]: dict(way) for way in report["plan"].get("alternatives") or report["alternatives"]}
    lost = set(found["plan"]["lost"])
    definitions = {name for d in report["plan"]["decisions"] if d["reason"] == "definition" for name in d["names"]}
    names = {name for d in report["plan"]["decisions"] for name in d["names"]} - lost - definitions
    for way, option in (("plan", ""), ("store-all", "--store"), ("replay-all", "--replay")):
        bundle = "bundle" if way == "plan" else f"bundle-{way}"
        if option:
            asked = [word for name in sorted(names - set(found[way]["exceptions"])) for word in (option, name)]
            done = call([*nbdag, "compile", "--out", bundle, "--no-verify", *asked], cwd=work, env=variables)
            if done.returncode not in (0, 1):
                found[way]["problem"] = done.stderr.strip()[-200:]
                continue
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            done = call([python, f"{bundle}/restore.py"], cwd=work, env=variables)
            seconds.append(time.perf_counter() - begun)
        found[way] |= {"restore_seconds": min(seconds), "restore_status": done.returncode}
    return found


def ways_line(row: dict[str, Any]) -> str:
    """One row of the table in docs/plans.md."""
    cells = [f"{row['notebook'].removesuffix('.ipynb')}"]
    for way in ("plan", "store-all", "replay-all", "per-cell"):
        found = row["ways"][way]
        clock = f" / {found['restore_seconds']:.1f} s" if "restore_seconds" in found else ""
        cells.append(f"{found['cost']:.2f} s{clock}" if found["cost"] is not None else "-")
        cells.append(f"{found['stored_bytes'] / 1e6:.1f} MB, {found['replay_seconds']:.1f} s")
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="notebooks whose path contains this text")
    parser.add_argument("--keep", action="store_true", help="keep the bundles under .corpus/work")
    parser.add_argument(
        "--ways", action="store_true", help="also store everything, and replay everything: docs/plans.md"
    )
    options = parser.parse_args()
    settings = tomllib.loads((HERE / "corpus.toml").read_text(encoding="utf-8"))
    jupyter = environment(settings["install"])
    rows = []
    print(
        f"{'notebook':44} {'vars':>4} {'stored':>6} {'replay':>6} {'lost':>4} {'same':>4} {'diff':>4} {'n/c':>4} "
        f"{'run s':>6} {'compile':>7} {'restore':>7} {'bytes':>10}"
    )
    for source in settings["source"]:
        for path in source["notebooks"]:
            if options.only not in path:
                continue
            row = measure(fetch(source["sdist"]) / path, jupyter, CACHE / "work" / Path(path).stem, options.ways)
            row["package"] = source["sdist"]
            rows.append(row)
            print(line(row), flush=True)
            if "ways" in row:
                print(ways_line(row), flush=True)
            if not options.keep:
                shutil.rmtree(CACHE / "work" / Path(path).stem, ignore_errors=True)
    (CACHE / "results.json").write_text(json.dumps(rows, indent=1))
    bad = [row["notebook"] for row in rows if row.get("problem") or row.get("wrong")]
    print(f"{len(rows)} notebooks, {len(bad)} with a problem" + (": " + ", ".join(bad) if bad else ""))
    return 1 if bad else 0


def line(row: dict[str, Any]) -> str:
    """One line of the table; adds ``wrong`` to ``row``."""
    name = row["notebook"][:44]
    if "problem" in row:
        return f"{name:44} {row['problem']}"
    report = row["report"]
    counts = {"store": 0, "replay": 0, "lose": 0}
    for decision in report["plan"]["decisions"]:
        counts[decision["action"]] += len(decision["names"])
    results = [comparison["result"] for comparison in report["verdict"]["comparisons"]]
    same, unsure = results.count("identical"), results.count("incomparable")
    row["wrong"] = len(results) - same - unsure
    size = report["bundle"]["data_size"] + report["bundle"]["blobs_size"]
    return (
        f"{name:44} {len(report['variables']):4} {counts['store']:6} {counts['replay']:6} {counts['lose']:4} {same:4} "
        f"{row['wrong']:4} {unsure:4} {row['run_seconds']:6.1f} {row['compile_seconds']:7.1f} "
        f"{report['verdict']['restore_seconds']:7.2f} {size:10,}"
    )


if __name__ == "__main__":
    sys.exit(main())
