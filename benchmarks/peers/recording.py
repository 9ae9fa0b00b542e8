"""``python -m benchmarks.peers.recording``: one case of benchmarks/overhead.py as a row; or all of a file it wrote.

python -m benchmarks.peers.recording --case "emcee line" --turn 0 --out FILE
python -m benchmarks.peers.recording --from .corpus/overhead.json --out FILE
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.corpus import CACHE, HERE
from benchmarks.peers.results import append

LONGEST = 420.0  # seconds for one case with all systems; Kishu takes longer than that with 2,000 names
MODES = "nbdag,kishu,elastic-kernel"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", default="", help="its name, as benchmarks/overhead.py prints it")
    parser.add_argument("--turn", type=int, default=0)
    parser.add_argument("--from", dest="file", type=Path, default=None, help="a file that benchmarks/overhead.py wrote")
    parser.add_argument("--environments", type=Path, default=CACHE / "peers")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.file is not None:
        for row in rows(json.loads(options.file.read_text(encoding="utf-8"))):
            append(options.out, row)
        return 0
    for modes in (MODES, MODES.replace("kishu,", "")):
        found = measured(options.case, modes, options.environments)
        if found is not None:
            break
    else:
        sys.exit(f"{options.case}: not finished in {LONGEST:.0f} s")
    for row in rows(found):
        if options.case in row["case"]:
            append(options.out, row | {"round": options.turn})
    return 0


def measured(case: str, modes: str, environments: Path) -> dict[str, Any] | None:
    """What benchmarks/overhead.py says of one round of the case; None if it did not come to its end."""
    with tempfile.TemporaryDirectory(prefix="nbdag-overhead-") as scratch:
        out = Path(scratch) / "overhead.json"
        words = ["--only", case, "--rounds", "1", "--modes", modes]
        places = ["--environments", str(environments), "--out", str(out)]
        command = [sys.executable, str(HERE / "overhead.py"), *words, *places]
        try:
            subprocess.run(command, check=True, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            return None
        return dict(json.loads(out.read_text(encoding="utf-8")))


def rows(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each case and round: by mode CPU seconds, peak of memory in bytes, the recorder's own CPU seconds."""
    date = found["machine"].get("date", time.strftime("%Y-%m-%d"))
    for case, rounds in found["cases"].items():
        for turn, modes in enumerate(rounds):
            yield {
                "case": case,
                "round": turn,
                "date": date,
                "modes": {mode: {k: v for k, v in said.items() if k in _KEPT} for mode, said in modes.items()},
            }


_KEPT = frozenset({"cpu", "peak", "hooks", "idle", "failed", "problem"})


if __name__ == "__main__":
    sys.exit(main())
