"""``%nbdag migrate auto``: nbdag itself decides which cells run on another machine, explains it and keeps a log."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from nbdag.errors import UsageError
from nbdag.magics.command import Command, Parser
from nbdag.magics.display import show
from nbdag.magics.migration import GO, Migration, ShellSession
from nbdag.magics.recording import recording_agent
from nbdag.magics.words import remotes
from nbdag.report.migration import print_decisions, print_driver
from nbdag.report.units import say_bytes, say_count

_ATTRIBUTE = "_nbdag_migration"  # on the shell
STATE_DIRECTORY = Path(".nbdag", "migration")


def migration_of(shell: Any) -> Migration | None:
    """What decides in a shell now."""
    found: Migration | None = vars(shell).get(_ATTRIBUTE)
    return found


def _arguments(parser: Parser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        default="status",
        choices=("auto", "off", "status", "log", GO),
        metavar="auto|off|status|log",
    )
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="auto: as --target NAME")
    parser.add_argument("--policy", default="", metavar="NAME", help="single, block, performance or knowledge [block]")
    parser.add_argument("--target", default="", metavar="NAME", help="a machine named with %%nbdag remote add")
    parser.add_argument(
        "--allowance",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="auto: what may be lost beyond the 5 %%, so that a new machine is tried sooner [0]",
    )
    parser.add_argument(
        "--lazy", action="store_true", help="auto: a block's large results may stay there until a cell here reads them"
    )
    parser.add_argument("--last", type=int, default=20, metavar="N", help="log: how many decisions")


def _seconds(text: str) -> float:
    seconds = float(text.removesuffix("s"))
    if not 0 <= seconds < 1e6:
        raise ValueError(text)
    return seconds


def _run(shell: Any, options: Namespace) -> None:
    actions = {"auto": _auto, "off": _off, "status": _status, "log": _log}
    if options.action not in actions:
        raise UsageError(f"%nbdag migrate {options.action}: belongs above a cell", "%nbdag migrate auto")
    actions[options.action](shell, options)


def _run_cell(shell: Any, options: Namespace, cell: str) -> None:
    migration = migration_of(shell)
    if options.action != GO:
        raise UsageError(f"%%nbdag migrate {options.action} takes no cell below it", "write it on a line of its own")
    if migration is None:
        raise UsageError("no policy decides in this session", "%nbdag migrate auto, or %%nbdag on NAME for this cell")
    migration.run_there(cell)


def _auto(shell: Any, options: Namespace) -> None:
    from nbdag.magics.on import stop
    from nbdag.magics.telling import StatusLine
    from nbdag.remote.driving import Driver
    from nbdag.remote.policies import DEFAULT_POLICY, POLICIES
    from nbdag.remote.sessions import session_on

    policy = options.policy or DEFAULT_POLICY
    if policy not in POLICIES:
        raise UsageError(f"--policy {policy}: no such policy", f"there are: {', '.join(POLICIES)}")
    target = options.target or options.name or _only_target()
    recording_agent()
    _end(shell)
    stop(shell)
    remote = session_on(shell, target, StatusLine(shell, target))
    link = remote.test().link
    session = ShellSession(shell, remote)
    session.look("pass")  # so that what this imports is not waited for before the first cell
    directory = STATE_DIRECTORY.absolute()
    try:
        driver = Driver.begin(policy, target, link, session, directory, options.allowance, options.lazy)
    except OSError as error:
        raise UsageError(f"{directory}: {error.strerror}", "decisions are kept there: make it writable") from None
    migration = Migration(shell, driver)
    vars(shell)[_ATTRIBUTE] = migration
    migration.start()
    known = len(driver.policy.experience.habits)
    speed = f"{link.speedup:.1f} times as fast as here, {say_bytes(link.bytes_per_second)}/s"
    print(
        f"the {policy} policy decides from the next cell on what runs on {target} ({speed}); %nbdag migrate off ends it"
    )
    if known:
        print(f"{say_count(known, 'cell is', 'cells are')} known from earlier sessions")
    else:
        print("every cell runs here once before it can be sent away: its time has to be known")


def _only_target() -> str:
    from nbdag.remote.config import read_targets

    names = sorted(read_targets())
    if len(names) == 1:
        return names[0]
    if not names:
        raise UsageError("no machine is named yet", "%nbdag remote add NAME http://HOST:PORT --token-env VAR")
    raise UsageError(f"which machine: {', '.join(names)}?", "%nbdag migrate auto --target NAME")


def _end(shell: Any) -> Migration | None:
    migration: Migration | None = vars(shell).pop(_ATTRIBUTE, None)
    if migration is not None:
        migration.close()
    return migration


def _off(shell: Any, options: Namespace) -> None:
    migration = _end(shell)
    if migration is None:
        print("no policy decides in this session")
        return
    print(
        f"cells run here again; {say_count(migration.there, 'cell')} ran on {migration.driver.target}, "
        f"{migration.here} here; %nbdag migrate log tells why"
    )


def _status(shell: Any, options: Namespace) -> None:
    migration = migration_of(shell)
    if migration is None:
        print("no policy decides in this session; %nbdag migrate auto starts it")
        return
    migration.catch_up()
    show(lambda page: print_driver(migration.driver, migration.there, migration.here, page), shell)


def _log(shell: Any, options: Namespace) -> None:
    from nbdag.remote.decisions import LOG_NAME, read_log

    migration = migration_of(shell)
    if migration is not None:
        migration.catch_up()
    directory = migration.driver.directory if migration is not None else STATE_DIRECTORY.absolute()
    entries = read_log(directory)
    show(lambda page: print_decisions(entries, max(options.last, 1), directory / LOG_NAME, page), shell)


def policies(shell: Any, typed: str) -> list[str]:
    """Names of policies."""
    from nbdag.remote.policies import POLICIES

    return list(POLICIES)


COMMAND = Command(
    "migrate",
    "Let a policy decide which cells run on another machine.",
    _arguments,
    _run,
    _run_cell,
    completions={"target": remotes, "name": remotes, "policy": policies},
    details=(
        "  auto      decide from the next cell on\n"
        "  off       run everything here again\n"
        "  status    what decides, and what was learned\n"
        "  log       every decision: predicted, actual, and why\n\n"
        "A cell is sent away if that is expected to be faster by what is known of its earlier runs; all runs together\n"
        "are held to at most 5 % slower than staying here.\n\n"
        "example:\n  %nbdag migrate auto --policy block --target gpu"
    ),
    words="auto|off|status|log",
    changes=True,
)
