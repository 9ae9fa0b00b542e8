"""The command line: which commands there are. Errors become text here (and in magics/), nowhere else.

Heavy modules are imported inside the commands (nbdag/commands/), so that ``nbdag --help`` is quick. Results go to
stdout, everything else to stderr. Exit status: 0 done, 1 done with something lost, 2 usage, 3 no plan, 4 environment
refused, 5 integrity, 130 interrupted, 138 the kernel died; 70 is a fault of nbdag itself.
"""

from __future__ import annotations

import sys

try:
    import os
    from typing import Annotated, Any

    import typer

    from nbdag import __version__
    from nbdag.commands import (
        analyze,
        attach,
        compile,
        doctor,
        graph,
        install_kernel,
        kernels,
        open_lab,
        plan,
        restore,
        run_notebook,
        simulate,
        store,
    )
    from nbdag.commands.options import STATE_DIRECTORY
    from nbdag.errors import NbdagError, OutputError
except KeyboardInterrupt:  # Ctrl-C while Python still loads
    sys.exit(130)

INTERRUPTED, BROKEN_PIPE, FAULT = 130, 141, 70

app = typer.Typer(
    name="nbdag",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Move a Jupyter session to another machine: understand the notebook, compile a bundle, restore it anywhere.",
    epilog="\b\nExample:\n  nbdag analyze notebook.ipynb\n  nbdag plan\n  nbdag compile --out restore_bundle/\n"
    "  python restore_bundle/restore.py      (on another machine, nothing of nbdag installed)",
)


app.command(short_help="Run a notebook; show what each cell needs.", epilog=analyze.EXAMPLES)(analyze.analyze)
app.command(short_help="Show what would be stored and replayed, and why.", epilog=plan.EXAMPLES)(plan.plan)
app.command(short_help="Compile a session into a bundle.", epilog=compile.EXAMPLES)(compile.compile)
app.command(short_help="Draw the session as a page or a picture.", epilog=graph.EXAMPLES)(graph.graph)
app.command("run", short_help="Run a notebook in a batch; go on after a failure.", epilog=run_notebook.EXAMPLES)(
    run_notebook.run_notebook
)
app.command(short_help="Restore a bundle, from wherever it is.", epilog=restore.EXAMPLES)(restore.restore)
app.add_typer(store.store, short_help="Look after data that bundles share.")
app.command(
    "install-kernel", short_help="A kernel for JupyterLab that holds the session.", epilog=install_kernel.EXAMPLES
)(install_kernel.install_kernel)
app.command("open", short_help="JupyterLab, the notebook and its session.", epilog=open_lab.EXAMPLES)(open_lab.open_lab)
app.command(short_help="Record a kernel that already runs; save it by itself.", epilog=attach.EXAMPLES)(attach.attach)
app.command(short_help="List the kernels that run on this machine.")(kernels.kernels)
app.command(short_help="List the kernels that nbdag keeps in this directory.")(kernels.sessions)
app.command(short_help="End a kernel that nbdag keeps.")(kernels.stop)
app.command(short_help="Would running cells elsewhere have paid?", epilog=simulate.EXAMPLES)(simulate.simulate)
app.command(short_help="Look for problems of the environment.", epilog=doctor.EXAMPLES)(doctor.doctor)


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


# ------------------------------------------------------------------------------------------------ errors as text


def main() -> None:
    """The entry of the command line; exits with the status that the head of this module lists."""
    if "_NBDAG_COMPLETE" in os.environ:
        app(prog_name="nbdag")  # answers the shell and exits
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
