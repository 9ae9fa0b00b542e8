"""Makes the pictures of the README from real runs: ``python docs/make_pictures.py`` (the demo's extras are needed)."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 150


def terminal(command: list[str], cwd: Path, shown: str) -> Text:
    """What ``command`` prints on a terminal of WIDTH columns, below the line that the user typed."""
    variables = dict(os.environ, COLUMNS=str(WIDTH), FORCE_COLOR="1", TERM="xterm-256color")
    done = subprocess.run(
        command, cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    lines = done.stdout.splitlines()
    return Text.from_ansi(f"\x1b[1m$ {shown}\x1b[0m\n" + "\n".join(lines) + "\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        nbdag = [sys.executable, str(ROOT / "cli.py")]
        console = Console(record=True, width=WIDTH, file=io.StringIO())
        notebook = ROOT / "examples" / "demo.ipynb"
        subprocess.run([*nbdag, "analyze", str(notebook), "--quiet"], cwd=work, capture_output=True, check=False)
        compile_command = [*nbdag, "compile", "--out", "restore_bundle/", "--color", "always"]
        console.print(terminal(compile_command, work, "nbdag compile --out restore_bundle/"))
        picture = ROOT / "docs" / "pictures" / "dag.svg"
        subprocess.run([*nbdag, "graph", "--quiet", "-o", str(picture)], cwd=work, check=True)
        restore = [sys.executable, "restore_bundle/restore.py"]
        console.print(terminal(restore, work, "python restore_bundle/restore.py"))
        subprocess.run([*nbdag, "stop", "--all"], cwd=work, capture_output=True, check=False)
        svg = console.export_svg(title="nbdag: a session on the move")
        (ROOT / "docs" / "pictures" / "compile.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
