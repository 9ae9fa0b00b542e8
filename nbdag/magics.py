"""``%load_ext nbdag``, ``%nbdag status``, ``plan``, ``explain`` and ``compile``: nbdag inside the kernel whose session
it moves.

The recorder runs in process, the very module that is sent into other kernels. Errors become text here (and in cli.py).
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

from nbdag.analysis.agent_client import LocalAgent
from nbdag.errors import NbdagError, UsageError

_USAGE = """%nbdag status                 what is recorded, and how to reach this kernel from a shell
%nbdag plan [options]         what would be stored and what replayed, and why; nothing is written
%nbdag explain NAME ...       why these variables are stored or replayed, in words
%nbdag compile DIR [options]  write this session as a bundle: python DIR/restore.py restores it anywhere
    --objective migrate|restore|size   minimise write and load time, load time, or bytes (migrate)
    --bandwidth auto|50MB/s            speed to the destination (auto: the disk is measured)
    --max-size 2GB                     let the bundle take no more than this
    --store/--replay/--exclude/--only NAME   (repeat for more names)
    --with-credentials                       (take along what looks like a password, token or key)
    --notebook FILE                    where the cells and their tags are, if the server does not say it
    --no-verify                        compile: do not restore it in a fresh process to compare"""


def load(shell: Any) -> None:
    """Start to record ``shell`` and register ``%nbdag``."""
    status = _told(lambda: LocalAgent().command("start", {"late": True}))
    shell.register_magic_function(nbdag_magic, magic_kind="line", magic_name="nbdag")
    known = int(status.get("executions", 0))
    before = f" ({known} earlier cells are known by their text only)" if known > 1 else ""
    print(f"nbdag records this session{before}; %nbdag compile DIR writes it as a bundle")


def unload(shell: Any) -> None:
    """Stop to record and take ``%nbdag`` away."""
    _told(lambda: LocalAgent().command("stop", {}))
    shell.magics_manager.magics["line"].pop("nbdag", None)
    print("nbdag no longer records this session")


def nbdag_magic(line: str) -> None:
    """Move this session to another machine: %nbdag help shows the commands."""
    _told(lambda: _dispatch(line))


def _dispatch(line: str) -> None:
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"%nbdag {line}: {error}") from None
    command, rest = (words[0], words[1:]) if words else ("status", [])
    if command == "status" and not rest:
        _status()
    elif command == "plan":
        _plan(rest)
    elif command == "explain":
        _explain(rest)
    elif command == "compile":
        _compile(rest)
    elif command in {"help", "-h", "--help"}:
        print(_USAGE)
    else:
        raise UsageError(f"%nbdag {line}: no such command", "%nbdag help lists them")


def _status() -> None:
    status = LocalAgent().command("status", {})
    if not status.get("recording"):
        print("nbdag does not record this session; %load_ext nbdag starts it")
        return
    print(f"nbdag records this session: {status.get('executions')} executions, {status.get('names')} names")
    connection_file = _connection_file()
    if connection_file:
        print(f"from a shell: nbdag compile --kernel {shlex.quote(connection_file)} --out DIR")


def _plan(words: list[str]) -> None:
    parser = _parser("%nbdag plan")
    parser.add_argument("--explain", metavar="NAME", action="append", default=[])
    if _asks_for_help(words):
        return
    options = parser.parse_args(words)
    _print_plan(_wishes(options), tuple(dict.fromkeys(options.explain)))


def _explain(words: list[str]) -> None:
    parser = _parser("%nbdag explain")
    parser.add_argument("names", metavar="NAME", nargs="+")
    if _asks_for_help(words):
        return
    options = parser.parse_args(words)
    _print_plan(_wishes(options), tuple(dict.fromkeys(options.names)))


def _print_plan(wishes: dict[str, Any], explained: tuple[str, ...]) -> None:
    from nbdag import pipeline
    from nbdag.report.plan import print_plan
    from nbdag.report.tables import Page

    planned = pipeline.plan_session(agent=_recording_agent(), explained=explained, **wishes)
    print_plan(planned, Page(sys.stdout, color="never", width=120), command="%nbdag")


def _compile(words: list[str]) -> None:
    parser = _parser("%nbdag compile")
    parser.add_argument("directory")
    parser.add_argument("--no-verify", dest="verify", action="store_false")
    if _asks_for_help(words):
        return
    options = parser.parse_args(words)

    from nbdag import pipeline
    from nbdag.report.compiled import print_compiled
    from nbdag.report.progress import TerminalProgress
    from nbdag.report.tables import Page

    compiled = pipeline.compile_bundle(
        Path(options.directory).expanduser(),
        agent=_recording_agent(),
        verify=options.verify,
        progress=TerminalProgress(bar=False, stream=sys.stdout),
        **_wishes(options),
    )
    print_compiled(compiled, Page(sys.stdout, color="never", width=120))


def _parser(program: str) -> _Parser:
    """The options that plan, explain and compile share."""
    parser = _Parser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument("--objective", choices=("migrate", "restore", "size"), default="migrate")
    parser.add_argument("--bandwidth", default="auto")
    parser.add_argument("--max-size", default="")
    parser.add_argument("--notebook", default="")
    for option in ("--store", "--replay", "--exclude", "--only"):
        parser.add_argument(option, metavar="NAME", action="append", default=[])
    parser.add_argument("--with-credentials", action="store_true")
    return parser


def _wishes(options: argparse.Namespace) -> dict[str, Any]:
    """The shared options as the pipeline takes them."""
    from nbdag.report.rates import parse_rate, parse_size

    return {
        "notebook": Path(options.notebook).expanduser() if options.notebook else None,
        "objective": options.objective,
        "bandwidth": parse_rate(options.bandwidth),
        "max_bytes": parse_size(options.max_size),
        "store": tuple(options.store),
        "replay": tuple(options.replay),
        "exclude": tuple(options.exclude),
        "only": tuple(options.only),
        "with_credentials": options.with_credentials,
    }


def _recording_agent() -> LocalAgent:
    agent = LocalAgent()
    if not agent.command("status", {}).get("recording"):
        agent.command("start", {"late": True})
    return agent


def _asks_for_help(words: list[str]) -> bool:
    if {"-h", "--help"} & set(words):
        print(_USAGE)
        return True
    return False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", "%nbdag help shows the options")


def _connection_file() -> str:
    try:
        from ipykernel.connect import get_connection_file

        return str(get_connection_file())
    except (ImportError, RuntimeError):
        return ""


def _told(work: Any) -> Any:
    """What ``work`` returns; its NbdagError as IPython's one-line error, without a traceback."""
    from IPython.core.error import UsageError as LineError

    try:
        return work()
    except NbdagError as error:
        message = f"nbdag: {error.message}" + (f"\n  hint: {error.hint}" if error.hint else "")
    raise LineError(message)
