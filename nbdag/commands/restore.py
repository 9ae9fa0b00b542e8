"""``nbdag restore``: a bundle, wherever it is, run in a Python of one's choice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbdag.commands.options import BarOption, Names, QuietOption, VerboseOption
from nbdag.commands.output import progress_on_stderr
from nbdag.errors import EnvironmentRefused, UsageError

if TYPE_CHECKING:
    from nbdag.progress import Progress
    from nbdag.replay.saved import Saved

EXAMPLES = (
    "\b\nExamples:\n  nbdag restore restore_bundle/"
    "\n  nbdag restore s3://bucket/session --into session/ --kernel"
    "\n  nbdag restore session.pyz --python ./env/bin/python --only model"
)

PythonOption = Annotated[
    str, typer.Option("--python", metavar="PYTHON", help="The interpreter to restore in; default: this one.")
]
IntoOption = Annotated[
    Path | None, typer.Option("--into", metavar="DIR", help="Where a bundle from a URL is put; default: its last part.")
]


def restore(
    bundle: Annotated[str, typer.Argument(help="A bundle's directory, a .pyz file, or a URL.", metavar="DIR|PYZ|URL")],
    into: IntoOption = None,
    python: PythonOption = "",
    kernel: Annotated[bool, typer.Option("--kernel", help="Start a Jupyter kernel that holds the session.")] = False,
    prompt: Annotated[
        bool | None,
        typer.Option("--prompt/--no-prompt", help="Go on at a Python prompt; default: on a terminal."),
    ] = None,
    only: Names = typer.Option(None, "--only", metavar="NAME", help="Only this variable and what it needs."),
    list_: Annotated[bool, typer.Option("--list", help="Show what the bundle holds and end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, show what would run, end.")] = False,
    no_replay: Annotated[bool, typer.Option("--no-replay", help="Run no code of the notebook.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare the digest of every byte first.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Go on where packages or files are missing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")] = False,
    progress_bar: BarOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Restore a session, and say how old it is.

    The same as running its restore.py: nothing of nbdag is needed for that. On a terminal a prompt follows, with the
    variables there.
    """
    with progress_on_stderr(quiet, verbose, progress_bar) as progress:
        saved = bring(bundle, into, progress)
    flags = {
        "--kernel": kernel,
        "--list": list_,
        "--dry-run": dry_run,
        "--no-replay": no_replay,
        "--verify": verify,
        "--force": force,
        "--json": json,
        "--verbose": verbose,
    }
    words = [flag for flag, wanted in flags.items() if wanted]
    words += ["--only", *only] if only else []
    ends = kernel or list_ or dry_run or json
    stay = (sys.stdin.isatty() if prompt is None else prompt) and not ends
    raise typer.Exit(run_script(saved, words, python, stay=stay))


def bring(bundle: str, into: Path | None, progress: Progress) -> Saved:
    """The facts of the bundle, which is fetched first where it is a URL; says what it is, and how old.

    Raises UsageError, IntegrityError.
    """
    from nbdag.batch.bundles import find_saved

    if "://" not in bundle:
        if into is not None:
            raise UsageError(f"--into: {bundle} is here already", "--into is for URLs")
        path = Path(bundle).expanduser()
    else:
        from nbdag.replay.destinations import fetch_bundle

        path = fetch_bundle(bundle, into or Path(last_part(bundle)), progress)
    saved, about = find_saved(path)
    progress.end()
    for line in about:
        progress.say(line)
    return saved


def last_part(url: str) -> str:
    """The directory a bundle from ``url`` is put into: the last part of its path."""
    from urllib.parse import urlsplit

    return urlsplit(url).path.rstrip("/").rpartition("/")[2] or "restore_bundle"


def interpreter(python: str) -> str:
    """The interpreter called so. Raises EnvironmentRefused where there is none."""
    import shutil

    found = shutil.which(python) if python else sys.executable
    if not found:
        raise EnvironmentRefused(
            f"--python {python}: there is no such interpreter", "name a path, or a command on PATH"
        )
    return found


def run_script(saved: Saved, words: list[str], python: str, *, stay: bool = False) -> int:
    """Run the bundle's script and return its exit status; ``stay`` leaves the user at the prompt."""
    command = [interpreter(python), *(["-i"] if stay else []), str(saved.script), *words]
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the script got it, too, and says what that means
            continue
