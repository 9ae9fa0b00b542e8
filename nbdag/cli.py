"""The commands: parse, call the pipeline, print. Errors become text here (and in magics.py), nowhere else.

Heavy modules are imported inside the commands, so that ``nbdag --help`` is quick. Results go to stdout, everything
else to stderr. Exit status: 0 done, 1 done with something lost, 2 usage, 3 no plan, 4 environment refused,
5 integrity, 130 interrupted, 138 the kernel died; 70 is a fault of nbdag itself.
"""

from __future__ import annotations

import sys

try:
    import os
    from collections.abc import Callable
    from enum import Enum
    from pathlib import Path
    from typing import TYPE_CHECKING, Annotated, Any

    import typer

    from nbdag import __version__
    from nbdag.errors import NbdagError, OutputError, UsageError
except KeyboardInterrupt:  # Ctrl-C while Python still loads
    sys.exit(130)

if TYPE_CHECKING:
    from nbdag.model import Analysis, Compiled
    from nbdag.report.tables import Page

STATE_DIRECTORY = Path(".nbdag")
INTERRUPTED, BROKEN_PIPE, FAULT = 130, 141, 70

app = typer.Typer(
    name="nbdag",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Move a Jupyter session to another machine: understand the notebook, compile a bundle, restore it anywhere.",
    epilog="\b\nExample:\n  nbdag analyze notebook.ipynb\n  nbdag compile --out restore_bundle/\n"
    "  python restore_bundle/restore.py      (on another machine, nothing of nbdag installed)",
)


class Format(str, Enum):
    """How a result is written."""

    text = "text"
    json = "json"


class Color(str, Enum):
    """When a report is coloured."""

    auto = "auto"
    always = "always"
    never = "never"


class Objective(str, Enum):
    """What a plan minimises."""

    migrate = "migrate"
    restore = "restore"
    size = "size"


Names = list[str] | None
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say every step.")]
BarOption = Annotated[bool, typer.Option("--progress-bar/--no-progress-bar", help="Draw a bar on a terminal.")]
ColorOption = Annotated[Color, typer.Option("--color", help="Colour the report.")]
FormatOption = Annotated[Format, typer.Option("--format", help="What to print; docs/schema.md describes the JSON.")]
AllowErrors = Annotated[bool, typer.Option("--allow-errors", help="Go on after a cell that raises.")]


@app.command(
    epilog="\b\nExamples:\n  nbdag analyze notebook.ipynb"
    "\n  nbdag analyze --static notebook.ipynb --format json -o facts.json",
)
def analyze(
    notebook: Annotated[Path, typer.Argument(help="An .ipynb file, or a py:percent script.")],
    static: Annotated[bool, typer.Option("--static", help="Only read the code; run nothing.")] = False,
    format: FormatOption = Format.text,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the result there instead of stdout.")
    ] = None,
    kernel_name: Annotated[
        str, typer.Option("--kernel-name", "-k", metavar="NAME", help="The kernelspec to run it with.")
    ] = "",
    allow_errors: AllowErrors = False,
    cell_timeout: Annotated[
        float | None,
        typer.Option("--cell-timeout", metavar="SECONDS", min=0.001, help="Interrupt a cell that takes longer."),
    ] = None,
    idle_timeout: Annotated[
        float,
        typer.Option("--idle-timeout", metavar="SECONDS", min=0.0, help="End the kept kernel when idle for so long."),
    ] = 3600.0,
    progress_bar: BarOption = True,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    color: ColorOption = Color.auto,
) -> None:
    """Run a notebook in a kernel of its own and show what each cell defines, uses and changes.

    The kernel stays alive for nbdag compile; nbdag sessions lists such kernels and
    nbdag stop ends them.
    """
    _check_output(output)
    from nbdag import pipeline
    from nbdag.report.progress import TerminalProgress

    progress = TerminalProgress(level=_level(quiet, verbose), bar=progress_bar, color=color.value)
    try:
        analysis = pipeline.analyze(
            notebook,
            static=static,
            kernel_name=kernel_name,
            allow_errors=allow_errors,
            state_directory=STATE_DIRECTORY,
            cell_timeout=cell_timeout,
            idle_seconds=idle_timeout,
            progress=progress,
        )
    finally:
        progress.end()
    _write(output, color, lambda page: _print_analysis(analysis, format, page))
    if analysis.session and idle_timeout > 0:
        progress.say(f"kernel {analysis.session} is kept; next: nbdag compile --out restore_bundle/ (or: nbdag stop)")
    raise typer.Exit(1 if _left_out(analysis) else 0)


@app.command(
    name="compile",
    epilog="\b\nExamples:\n  nbdag compile --out restore_bundle/"
    "\n  nbdag compile notebook.ipynb --out bundle/ --bandwidth 50MB/s"
    "\n  nbdag compile --kernel kernel-1234.json --out bundle/",
)
def compile_(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The bundle to write; an older one is updated.")],
    notebook: Annotated[
        Path | None, typer.Argument(help="Its session; without it, the one last analyzed in this directory.")
    ] = None,
    kernel: Annotated[
        Path | None,
        typer.Option("--kernel", metavar="FILE", help="Compile a live kernel, by its connection file (%connect_info)."),
    ] = None,
    objective: Annotated[
        Objective, typer.Option("--objective", help="Minimise write and load time, load time, or bytes.")
    ] = Objective.migrate,
    bandwidth: Annotated[
        str,
        typer.Option("--bandwidth", metavar="auto|50MB/s", help="Speed to the destination; auto: measure the disk."),
    ] = "auto",
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Restore in a fresh process and compare every variable.")
    ] = True,
    store: Annotated[Names, typer.Option("--store", metavar="NAME", help="Store it, do not replay.")] = None,
    replay: Annotated[Names, typer.Option("--replay", metavar="NAME", help="Replay it, do not store.")] = None,
    exclude: Annotated[Names, typer.Option("--exclude", metavar="NAME", help="Leave it behind.")] = None,
    only: Annotated[Names, typer.Option("--only", metavar="NAME", help="Take only what is named.")] = None,
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
    if kernel is not None and notebook is not None:
        raise UsageError("give a notebook or --kernel, not both", "the connection file says which session it is")
    from nbdag.report.rates import parse_rate

    speed = parse_rate(bandwidth)
    from nbdag import pipeline
    from nbdag.report.progress import TerminalProgress

    progress = TerminalProgress(level=_level(quiet, verbose), bar=progress_bar, color=color.value)
    try:
        compiled = pipeline.compile_bundle(
            out,
            notebook=notebook,
            connection_file=kernel,
            agent=None,
            state_directory=STATE_DIRECTORY,
            objective=objective.value,
            bandwidth=speed,
            verify=verify,
            allow_errors=allow_errors,
            store=tuple(store or ()),
            replay=tuple(replay or ()),
            exclude=tuple(exclude or ()),
            only=tuple(only or ()),
            progress=progress,
        )
    finally:
        progress.end()
    from nbdag.report.compiled import lost_names

    lost = lost_names(compiled, exclude=exclude or (), only=only or ())
    _write(None, color, lambda page: _print_compiled(compiled, format, page, lost))
    if lost:
        progress.say(f"{len(lost)} lost: {', '.join(lost)}")
    raise typer.Exit(1 if lost else 0)


@app.command()
def sessions(format: FormatOption = Format.text, color: ColorOption = Color.auto) -> None:
    """List the kernels that are kept alive in this directory."""
    from nbdag.analysis import kernels

    found = kernels.sessions(STATE_DIRECTORY)
    if format is Format.json:
        from nbdag.report.json import sessions_as_json
        from nbdag.report.sessions import session_as_row

        _write(
            None, color, lambda page: page.raw(sessions_as_json([session_as_row(one) for one in found], __version__))
        )
    elif not found:
        print("no kernel is kept alive here", file=sys.stderr)
    else:
        from nbdag.report.sessions import print_sessions

        _write(None, color, lambda page: print_sessions(found, page))


@app.command()
def stop(
    session: Annotated[str, typer.Argument(help="A session of `nbdag sessions`, or how it begins.")] = "",
    all: Annotated[bool, typer.Option("--all", help="End all kernels that are kept alive here.")] = False,
) -> None:
    """End a kernel that is kept alive. Without ID: the only one there is."""
    from nbdag.analysis import kernels

    found = kernels.sessions(STATE_DIRECTORY)
    names = ", ".join(one.id for one in found) or "none"
    if all:
        chosen = found
    elif session:
        chosen = [one for one in found if one.id == session] or [one for one in found if one.id.startswith(session)]
        if len(chosen) != 1:
            what = f"{session!r} fits several kernels" if chosen else f"no kernel {session!r} is kept alive here"
            raise UsageError(f"{what}; there are: {names}", "nbdag stop --all ends all of them")
    elif len(found) > 1:
        raise UsageError(f"which one? {names}", "nbdag stop ID, or nbdag stop --all")
    else:
        chosen = found
    if not chosen:
        print("no kernel is kept alive here", file=sys.stderr)
    for one in chosen:
        kernels.stop_session(one)
        print(f"nbdag: ended {one.id}", file=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"nbdag {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


# ------------------------------------------------------------------------------------------------ printing


def _print_analysis(analysis: Analysis, format: Format, page: Page) -> None:
    if format is Format.json:
        from nbdag.report.json import analysis_as_json

        page.raw(analysis_as_json(analysis, __version__))
    else:
        from nbdag.report.analysis import print_analysis

        print_analysis(analysis, page)


def _print_compiled(compiled: Compiled, format: Format, page: Page, lost: tuple[str, ...]) -> None:
    if format is Format.json:
        from nbdag.report.json import compiled_as_json

        page.raw(compiled_as_json(compiled, __version__, lost=lost))
    else:
        from nbdag.report.compiled import print_compiled

        print_compiled(compiled, page)


def _write(output: Path | None, color: Color, write: Callable[[Page], None]) -> None:
    from nbdag.report.tables import write_page

    write_page(output, color.value, write)


def _left_out(analysis: Analysis) -> bool:
    from nbdag.model import Severity

    return any(finding.severity is Severity.ERROR for finding in analysis.diagnostics)


# ------------------------------------------------------------------------------------------------ options


def _check_output(output: Path | None) -> None:
    # Before the notebook runs for an hour.
    if output is not None and output.is_dir():
        raise OutputError(f"{output}: is a directory", "-o names the file to write")
    if output is not None and not output.absolute().parent.is_dir():
        raise OutputError(f"{output}: there is no directory {output.parent}", "make it first")


def _level(quiet: bool, verbose: bool) -> int:
    return 0 if quiet else 2 if verbose else 1


# ------------------------------------------------------------------------------------------------ errors as text


def main() -> None:
    """The entry of the command line; exits with the status that the head of this module lists."""
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = BROKEN_PIPE
        _forget_stdout()
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit status; whatever goes wrong is a line or two on stderr."""
    try:
        # Not app(): that has its own ideas about Ctrl-C and closed pipes.
        command = typer.main.get_command(app)
        with command.make_context("nbdag", arguments or ["--help"]) as context:
            command.invoke(context)
        return 0
    except NbdagError as error:
        return _tell(error)
    except (KeyboardInterrupt, typer.Abort):
        print("\nnbdag: interrupted", file=sys.stderr)
        return INTERRUPTED
    except typer.Exit as exit:
        return int(exit.exit_code)
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except OSError as error:
        import errno

        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            return _tell(
                OutputError(f"{error.filename or 'output'}: {error.strerror}", "make room, or write elsewhere")
            )
        return _tell_fault(error)
    except Exception as error:
        return _tell_usage(error) if isinstance(error, _CLICK_EXCEPTION) else _tell_fault(error)


# Older typers raise click's exceptions, newer ones bring their own; the root of either is an ancestor of this one.
_CLICK_EXCEPTION = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _tell(error: NbdagError) -> int:
    print(f"nbdag: {_one_line(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"  hint: {error.hint}", file=sys.stderr)
    if os.environ.get("NBDAG_DEBUG"):
        from nbdag.report.faults import print_traceback

        print_traceback(error, sys.stderr)
    return error.exit_status


def _tell_usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "nbdag"
    message = error.format_message().replace("Value error, ", "")  # newer typers say so before a choice
    print(f"nbdag: {_one_line(message)}", file=sys.stderr)
    print(f"  hint: {command} --help", file=sys.stderr)
    return int(error.exit_code)


def _tell_fault(error: BaseException) -> int:
    from nbdag.report.faults import print_traceback, write_crash_log

    debug = bool(os.environ.get("NBDAG_DEBUG"))
    log = "" if debug else write_crash_log(error, STATE_DIRECTORY, __version__)
    kind = f"{type(error).__name__}: {error}".rstrip(": ")
    print(f"nbdag: a fault of nbdag itself: {_one_line(kind)}", file=sys.stderr)
    if debug:
        print_traceback(error, sys.stderr)
    else:
        where = f"with {log}" if log else "with what NBDAG_DEBUG=1 shows"
        print(f"  hint: please report it {where}", file=sys.stderr)
    return FAULT


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _forget_stdout() -> None:
    # Python flushes stdout once more at its end, and would complain about the closed pipe.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
