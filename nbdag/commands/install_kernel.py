"""``nbdag install-kernel``: a bundle's session, to be chosen in JupyterLab."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from nbdag.commands.output import progress_on_stderr
from nbdag.commands.restore import IntoOption, PythonOption, bring, run_script

EXAMPLES = "\b\nExample:\n  nbdag install-kernel restore_bundle/ --name wine"


def install_kernel(
    bundle: Annotated[str, typer.Argument(help="A bundle's directory, a .pyz file, or a URL.", metavar="DIR|PYZ|URL")],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What Jupyter calls it; default: by the notebook.")
    ] = "",
    into: IntoOption = None,
    python: PythonOption = "",
) -> None:
    """Let JupyterLab start kernels that hold the session: choose it under Kernel, Change Kernel.

    Each such kernel begins as the session was saved. The bundle stays where it is and is read then.
    """
    with progress_on_stderr() as progress:
        saved = bring(bundle, into, progress)
    raise typer.Exit(run_script(saved, ["--install-kernel", name or kernel_name(saved.notebook)], python))


def kernel_name(notebook: str) -> str:
    """A name that Jupyter takes, made of a notebook's: ``wine tasting.ipynb`` -> ``wine-tasting-restored``."""
    words = re.sub(r"[^a-z0-9._-]+", "-", Path(notebook).stem.lower()).strip("-._")
    return f"{words or 'session'}-restored"
