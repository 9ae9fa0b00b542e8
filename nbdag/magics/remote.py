"""``%nbdag remote add|list|test|remove|fetch|stop``: the machines that cells can run on."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from nbdag.errors import UsageError
from nbdag.magics.command import Command, Parser
from nbdag.magics.display import show
from nbdag.magics.recording import recording_agent
from nbdag.magics.words import remotes
from nbdag.report.tables import Column, Page
from nbdag.report.units import say_bytes, say_seconds

_DOINGS = ("add", "list", "test", "remove", "fetch", "stop")


def _arguments(parser: Parser) -> None:
    parser.add_argument("doing", choices=_DOINGS, metavar="|".join(_DOINGS), help="what to do")
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="what you call the machine")
    parser.add_argument(
        "url", metavar="URL", nargs="?", default="", help="http(s)://HOST:PORT[/path], or tcp://HOST:PORT"
    )
    parser.add_argument("--token-env", metavar="VAR", default="", help="the environment variable that holds the token")
    parser.add_argument("--kernel", metavar="NAME", default="", help="the kernel to start there")
    parser.add_argument("--store", metavar="URL", default="", help="a store that both sides reach, for gateways")


def _run(shell: Any, options: Namespace) -> None:
    if options.doing != "list" and not options.name:
        raise UsageError(f"%nbdag remote {options.doing}: which one?", f"%nbdag remote {options.doing} NAME")
    if options.doing == "add" and not options.url:
        raise UsageError("%nbdag remote add: where is it?", "%nbdag remote add NAME http://HOST:PORT --token-env VAR")
    if options.doing != "add" and (options.url or options.token_env or options.kernel or options.store):
        raise UsageError(f"%nbdag remote {options.doing} takes nothing but a name")
    {"add": _add, "list": _list, "test": _test, "remove": _remove, "fetch": _fetch, "stop": _stop}[options.doing](
        shell, options
    )


def _add(shell: Any, options: Namespace) -> None:
    from urllib.parse import urlsplit

    from nbdag.remote.config import keep_target, keep_token, new_target
    from nbdag.remote.sessions import close_session

    target, token = new_target(options.name, options.url, options.token_env, options.kernel, options.store)
    if token and not target.token_env:
        keep_token(target, token)
    keep_target(target)
    close_session(shell, target.name)
    where = "in the keyring" if token and not target.token_env else f"in {target.token_env}" if target.token_env else ""
    print(f"{target.name} is {target.url}" + (f"; its token is {where}" if where else ""))
    host = urlsplit(target.url).hostname or ""
    if target.kind == "http" and host not in ("localhost", "::1") and not host.startswith("127."):
        print("its address is http://, not https://: the token and the data go over the network as they are")
    if token and target.token_env:
        print("the token in the URL was left out")


def _list(shell: Any, options: Namespace) -> None:
    from nbdag.remote.config import read_targets
    from nbdag.remote.sessions import sessions_of

    targets = read_targets()
    sessions = sessions_of(shell)

    def write(page: Page) -> None:
        if not targets:
            page.line("no machine is named yet: %nbdag remote add NAME http://HOST:PORT --token-env VAR")
            return
        columns = [Column(title) for title in ("name", "URL", "token", "kernel", "store", "state")]
        rows = []
        for name in sorted(targets):
            one = targets[name]
            session = sessions.get(name)
            state = ""
            if session is not None and session.connection is not None:
                held = len(session.ledger.entries)
                state = f"connected, {held} variable{'' if held == 1 else 's'} there"
            rows.append([name, one.url, one.token_env, one.kernel, one.store, state])
        page.table(columns, rows)

    show(write, shell)


def _test(shell: Any, options: Namespace) -> None:
    from nbdag.magics.telling import StatusLine
    from nbdag.remote.sessions import session_on

    recording_agent()
    session = session_on(shell, options.name, StatusLine(shell, options.name))
    report = session.test()
    link = report.link

    def write(page: Page) -> None:
        page.line(f"{options.name}: {session.target.url} on {report.host}", "strong")
        page.line(f"a round trip takes {say_seconds(link.latency_seconds)}")
        page.line(f"{say_bytes(link.bytes_per_second)}/s to it, {say_bytes(link.back)}/s back")
        speed = link.speedup
        faster = f"{speed:.1f} times as fast as here" if speed >= 1 else f"{1 / speed:.1f} times slower than here"
        page.line(f"one core of it is {faster}")
        page.line(f"Python {report.python_there} there, {report.python_here} here; working directory {report.cwd}")
        if not report.packages:
            page.line(f"all {report.same_packages} packages that are loaded here are there in the same version")
            return
        page.line(f"{report.same_packages} packages are the same there; others are not:")
        columns = [Column("package"), Column("here"), Column("there")]
        page.table(columns, [[one.name, one.here, one.there or "missing"] for one in report.packages])

    show(write, shell)


def _remove(shell: Any, options: Namespace) -> None:
    from nbdag.magics.on import stop
    from nbdag.remote.config import remove_target
    from nbdag.remote.sessions import close_session

    target = remove_target(options.name)
    ended = close_session(shell, target.name)
    stop(shell)
    print(f"{target.name} is forgotten" + ("; its kernel was ended" if ended else ""))


def _fetch(shell: Any, options: Namespace) -> None:
    from nbdag.magics.telling import StatusLine
    from nbdag.remote.sessions import session_on

    recording_agent()
    line = StatusLine(shell, options.name)
    outcome = session_on(shell, options.name, line).fetch()
    line.done(outcome.run)
    if outcome.error is not None:
        raise outcome.error


def _stop(shell: Any, options: Namespace) -> None:
    from nbdag.magics.on import stop
    from nbdag.remote.config import target_called
    from nbdag.remote.sessions import close_session

    target = target_called(options.name)
    stop(shell)
    ended = close_session(shell, target.name)
    print(f"the kernel on {target.name} was ended" if ended else f"no kernel runs on {target.name}")


COMMAND = Command(
    "remote",
    "Name the machines that cells can run on, test them, forget them.",
    _arguments,
    _run,
    completions={"name": remotes},
    details=(
        "  add NAME URL [--token-env VAR] [--kernel NAME] [--store URL]\n"
        "  list      all of them\n"
        "  test      how far, how fast, which packages differ\n"
        "  fetch     the result of a cell whose connection was lost\n"
        "  stop      end the kernel there\n"
        "  remove    forget one\n\n"
        "example:\n  %nbdag remote add gpu https://gpu.example.org:8888 --token-env GPU_TOKEN"
    ),
    words="add|list|test|remove ...",
    changes=True,
)
