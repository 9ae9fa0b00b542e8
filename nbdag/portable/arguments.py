"""What may be asked of restore.py on its command line."""

from __future__ import annotations

from typing import Any, Sequence

from nbdag.portable.outcomes import EXIT_COMPLETE, EXIT_USAGE

# Not one text of several lines: the linked script is indented, and so would they be.
RESTORE_USAGE = "\n".join(
    (
        "python restore.py [OPTIONS]         restore, say what came back, end",
        "       python -i restore.py [OPTIONS]      restore and go on at the prompt",
        "       %%run -i restore.py [OPTIONS]        restore into a notebook",
    )
)
RESTORE_ENDING = "\n".join(
    (
        "exit status:",
        "  0    complete",
        "  1    something is lost; what and why is said",
        "  2    usage",
        "  4    this machine lacks something: all of it is listed before anything runs",
        "  5    the bundle is damaged: nothing was restored",
        "  130  interrupted",
        "",
        "What will run stands at the end of restore.py, under PLAN; --dry-run prints it.",
    )
)


def parse_arguments(arguments: Sequence[str]) -> Any:
    """The options, or the exit status of a command line that asks for help or is wrong."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="restore.py",
        usage=RESTORE_USAGE,
        description="Rebuild the session of a notebook as it was when nbdag compiled it.",
        epilog=RESTORE_ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    flag: Any = {"action": "store_true"}
    look = parser.add_argument_group("look first")
    look.add_argument("--list", help="show the variables, how each comes back, and its size", **flag)
    look.add_argument("--dry-run", help="check everything, show what would run, and end", **flag)
    look.add_argument("--source", help="print the program that this file carries packed, and end", **flag)
    look.add_argument("--verify", help="compare the digest of every byte of the bundle before anything else", **flag)
    look.add_argument("-h", "--help", action="help", help="show this and end")
    what = parser.add_argument_group("what to restore")
    what.add_argument("--only", metavar="NAME", nargs="+", default=(), help="these variables and what they need")
    what.add_argument("--no-replay", help="load what is stored, run no code of the notebook", **flag)
    what.add_argument("--force", help="go on where packages, files or memory are missing", **flag)
    what.add_argument("--eager", help="read large data into memory now, instead of mapping the files", **flag)
    jupyter = parser.add_argument_group("in Jupyter")
    jupyter.add_argument("--kernel", help="start a kernel that holds the session, and say how to connect", **flag)
    jupyter.add_argument(
        "--install-kernel", metavar="NAME", default="", help="let JupyterLab start kernels that hold the session"
    )
    said = parser.add_argument_group("what is said")
    said.add_argument("--json", help="the result as JSON on stdout", **flag)
    said.add_argument("--verbose", help="show what the replayed code printed, and tracebacks of what failed", **flag)
    try:
        return parser.parse_args(list(arguments))
    except SystemExit as end:
        return EXIT_COMPLETE if not end.code else EXIT_USAGE
