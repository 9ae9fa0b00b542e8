"""``nbdag compile``: a session into a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nbdag import __version__
from nbdag.commands.options import (
    STATE_DIRECTORY,
    AllowErrors,
    BandwidthOption,
    BarOption,
    Color,
    ColorOption,
    Compression,
    CompressionOption,
    CredentialsOption,
    ExcludeOption,
    Format,
    FormatOption,
    KernelOption,
    MaxSizeOption,
    Objective,
    ObjectiveOption,
    OnlyOption,
    QuietOption,
    ReplayOption,
    SessionArgument,
    StoreDirectoryOption,
    StoreOption,
    TimeoutOption,
    VerboseOption,
    connection_file_of,
)
from nbdag.commands.output import progress_on_stderr, show

if TYPE_CHECKING:
    from nbdag.model.results import Compiled
    from nbdag.report.tables import Page

EXAMPLES = (
    "\b\nExamples:\n  nbdag compile --out restore_bundle/"
    "\n  nbdag compile notebook.ipynb --out bundle/ --bandwidth 50MB/s"
    "\n  nbdag compile --kernel kernel-1234.json --out bundle/"
    "\n  nbdag compile --out bundle.pyz           (one file: python bundle.pyz)"
    "\n  nbdag compile --out s3://bucket/bundle   (needs: pip install 'nbdag[cloud]' s3fs)"
)


def compile(
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="DIR|FILE.pyz|URL",
            help="The bundle to write: a directory, one file, or s3://, gs://, sftp:// ...; an older one is updated.",
        ),
    ],
    notebook: SessionArgument = None,
    kernel: KernelOption = "",
    timeout: TimeoutOption = None,
    objective: ObjectiveOption = Objective.migrate,
    bandwidth: BandwidthOption = "auto",
    max_size: MaxSizeOption = "",
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Restore in a fresh process and compare every variable.")
    ] = True,
    include_files: Annotated[
        str,
        typer.Option(
            "--include-files", metavar="auto|all|none|GLOB", help="Input files that travel; auto: small ones."
        ),
    ] = "auto",
    compression: CompressionOption = Compression.auto,
    store_dir: StoreDirectoryOption = None,
    store: StoreOption = None,
    replay: ReplayOption = None,
    exclude: ExcludeOption = None,
    with_credentials: CredentialsOption = False,
    only: OnlyOption = None,
    allow_errors: AllowErrors = False,
    format: FormatOption = Format.text,
    progress_bar: BarOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = Color.auto,
) -> None:
    """Compile a session into a bundle that any Python restores.

    Every variable is stored, or the code that made it is replayed, whichever is cheaper; the bundle is then restored
    in a fresh process and compared with the live session. Exit status 1: something is lost, and named.
    """
    from nbdag.report.rates import parse_rate, parse_size

    speed, most = parse_rate(bandwidth), parse_size(max_size)
    from nbdag import pipeline

    with progress_on_stderr(quiet, verbose, progress_bar, color) as progress:
        compiled = pipeline.compile_bundle(
            out if "://" in out else Path(out),
            notebook=notebook,
            connection_file=connection_file_of(kernel),
            timeout=timeout,
            agent=None,
            state_directory=STATE_DIRECTORY,
            objective=objective.value,
            bandwidth=speed,
            max_bytes=most,
            verify=verify,
            include_files=include_files,
            compression=compression.value,
            store_directory=store_dir,
            allow_errors=allow_errors,
            store=tuple(store or ()),
            replay=tuple(replay or ()),
            exclude=tuple(exclude or ()),
            with_credentials=with_credentials,
            only=tuple(only or ()),
            progress=progress,
        )
    from nbdag.report.compiled import lost_names, say_lost

    lost = lost_names(compiled, exclude=exclude or (), only=only or ())
    show(None, color, lambda page: _print_compiled(compiled, format, page, lost))
    if lost:
        progress.say(say_lost(compiled, lost))
    raise typer.Exit(1 if lost else 0)


def _print_compiled(compiled: Compiled, format: Format, page: Page, lost: tuple[str, ...]) -> None:
    if format is Format.json:
        from nbdag.report.json import compiled_as_json

        page.raw(compiled_as_json(compiled, __version__, lost=lost))
    else:
        from nbdag.report.compiled import print_compiled

        print_compiled(compiled, page)
