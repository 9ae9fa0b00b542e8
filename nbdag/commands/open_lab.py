"""``nbdag open``: JupyterLab on a bundle's notebook, with a kernel that holds its session."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nbdag.commands.install_kernel import kernel_name
from nbdag.commands.output import progress_on_stderr
from nbdag.commands.restore import IntoOption, PythonOption, bring, interpreter, run_script

EXAMPLES = "\b\nExamples:\n  nbdag open restore_bundle/\n  nbdag open session.pyz --notebook wine.ipynb --no-browser"


def open_lab(
    bundle: Annotated[str, typer.Argument(help="A bundle's directory, a .pyz file, or a URL.", metavar="DIR|PYZ|URL")],
    notebook: Annotated[
        Path | None,
        typer.Option("--notebook", metavar="FILE", help="The notebook to open; default: the session's own, here."),
    ] = None,
    into: IntoOption = None,
    python: PythonOption = "",
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What Jupyter calls the kernel.")] = "",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser, or only say where.")] = True,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0: any free one.")] = 0,
) -> None:
    """Start JupyterLab on the notebook, connected to a kernel that holds the session. Ctrl-C ends both.

    A notebook that is not here is written: with the code that the session ran.
    """
    from nbdag.batch.lab import check_lab, serve
    from nbdag.batch.notebooks import notebook_of

    with progress_on_stderr() as progress:
        saved = bring(bundle, into, progress)
        check_lab(interpreter(python))
        chosen = name or kernel_name(saved.notebook)
        path, written = notebook_of(saved, notebook, chosen)
        if written:
            progress.say(f"wrote {path}: the code that the session ran")
        status = run_script(saved, ["--install-kernel", chosen], python)
        if status:
            raise typer.Exit(status)
        raise typer.Exit(serve(interpreter(python), path, chosen.lower(), port, browser=browser, say=progress.say))
