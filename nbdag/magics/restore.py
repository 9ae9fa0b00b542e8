"""``%nbdag restore BUNDLE``: a bundle's variables into this very session."""

from __future__ import annotations

import contextlib
import io
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from nbdag.magics.command import Command, Parser
from nbdag.magics.display import show
from nbdag.magics.words import bundles

SHOWN = 8


def _arguments(parser: Parser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="the directory or .pyz file that nbdag compile wrote")
    parser.add_argument(
        "--replace", action="store_true", help="overwrite variables of this session that have its names"
    )
    parser.add_argument(
        "--only", metavar="NAME", action="append", default=[], help="only this variable and what it needs (repeat)"
    )
    parser.add_argument("--no-replay", action="store_true", help="load what is stored and run no code of the notebook")
    parser.add_argument("--force", action="store_true", help="go on where packages or files are missing")


def _run(shell: Any, options: Namespace) -> None:
    from nbdag.batch.bundles import find_saved
    from nbdag.errors import UsageError
    from nbdag.portable.namespace import session_items
    from nbdag.report.tables import Page

    saved, about = find_saved(Path(options.bundle).expanduser())
    unknown = sorted(set(options.only) - saved.names)
    if unknown:
        raise UsageError(f"{saved.path} has no {', '.join(unknown)}", "python restore.py --list shows what it has")
    coming = set(options.only) or saved.names
    taken = sorted(coming & set(session_items(shell, shell.user_ns)))
    if taken and not options.replace:
        more = f" and {len(taken) - SHOWN} more" if len(taken) > SHOWN else ""
        raise UsageError(
            f"restoring would overwrite {', '.join(taken[:SHOWN])}{more}; nothing was changed",
            "--replace overwrites them; --only NAME restores single ones",
        )
    arguments = [f"--only={name}" for name in options.only[:1]] + list(options.only[1:])
    arguments += [f"--{word}" for word in ("no-replay", "force") if getattr(options, word.replace("-", "_"))]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        restore_into(shell, saved.script, arguments)

    def write(page: Page) -> None:
        for line in about:
            page.line(line, "faint")
        for line in said.getvalue().splitlines():
            page.line(line.removeprefix("nbdag: "))

    show(write, shell)


def restore_into(shell: Any, script: Path, arguments: list[str]) -> None:
    """Run the bundle's own script with the names of this session."""
    if script.suffix == ".pyz":
        import zipfile

        with zipfile.ZipFile(script) as archive:
            text = archive.read("__main__.py").decode("utf-8")
        filename = str(script.absolute() / "__main__.py")
    else:
        text, filename = script.read_text(encoding="utf-8"), str(script.absolute())
    before = sys.argv
    # The script takes the command line for its own where its first word is the script.
    sys.argv = [str(script.absolute()), *arguments]
    try:
        exec(compile(text, filename, "exec"), shell.user_ns)
    finally:
        sys.argv = before


COMMAND = Command(
    "restore",
    "Bring a bundle's variables into this session.",
    _arguments,
    _run,
    completions={"bundle": bundles},
    details="example:\n  %nbdag restore restore_bundle",
    words="BUNDLE",
    changes=True,
)
