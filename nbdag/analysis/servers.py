"""Running Jupyter servers and what they say about their kernels: which notebook runs in which.

A server writes ``jpserver-PID.json`` (classic Notebook: ``nbserver-PID.json``) with its address, its directory and its
token into Jupyter's runtime directory; there, too, are the connection files ``kernel-ID.json`` of its kernels. Only
``GET /api/sessions`` knows a notebook that was renamed since its kernel began.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdag.analysis.processes import identify
from nbdag.errors import EnvironmentRefused, UsageError

PATIENCE = 3.0  # seconds that a server may take to answer
_SERVER_FILES = ("jpserver-*.json", "nbserver-*.json")
_KERNEL_IN_PATH = re.compile(r"/api/kernels/([0-9a-fA-F-]{36})")
_NOTEBOOK_IN_PATH = re.compile(r"/(?:lab(?:/workspaces/[^/]+)?/tree|doc/tree|notebooks|edit|tree)/(.+\.(?:ipynb|py))$")


@dataclass(frozen=True, slots=True)
class Server:
    """A server: ``url`` ends in "/"; ``root`` is the directory of its notebooks, "" where only it knows."""

    url: str
    token: str = ""
    root: str = ""
    pid: int = 0
    password: bool = False

    @property
    def shown(self) -> str:
        """Its address without anything secret."""
        return self.url


@dataclass(frozen=True, slots=True)
class ServerKernel:
    """A kernel that a server runs. ``notebook``: an absolute path where the server's directory is known, else the
    server's own path; "" for a console. ``state`` is what the server last heard: busy, idle, starting, dead."""

    server: Server
    kernel_id: str
    notebook: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL of a user's browser says: the server, and the kernel or notebook that it points at, or neither."""

    server: Server
    kernel_id: str = ""
    notebook: str = ""


def runtime_directory() -> Path:
    """Where Jupyter's servers and kernels of this user write down how to reach them."""
    from jupyter_core.paths import jupyter_runtime_dir

    return Path(jupyter_runtime_dir())


def running_servers(directory: Path | None = None) -> tuple[Server, ...]:
    """The servers that run now on this machine, by the files in the runtime directory; what crashed is passed over."""
    found: dict[str, Server] = {}
    place = directory or runtime_directory()
    for path in sorted(file for pattern in _SERVER_FILES for file in place.glob(pattern)):
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            server = Server(
                url=_with_slash(str(said["url"])),
                token=str(said.get("token") or ""),
                root=str(said.get("root_dir") or said.get("notebook_dir") or ""),
                pid=int(said.get("pid") or 0),
                password=bool(said.get("password")),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if not server.pid or identify(server.pid):
            found.setdefault(server.url, server)
    return tuple(found.values())


def read_address(url: str, token: str = "") -> Address:
    """What the address of a server, a notebook or a kernel in a browser means. Raises UsageError."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise UsageError(f"{without_secrets(url)}: not the address of a Jupyter server", "http://HOST:PORT/?token=...")
    token = token or "".join(urllib.parse.parse_qs(parts.query).get("token", [""])[-1:])
    path = urllib.parse.unquote(parts.path)
    kernel = _KERNEL_IN_PATH.search(path)
    notebook = _NOTEBOOK_IN_PATH.search(path)
    base = path[: (kernel or notebook).start()] if kernel or notebook else re.sub(r"/(lab|tree|notebooks)/?$", "", path)  # type: ignore[union-attr]
    root = urllib.parse.urlunsplit((parts.scheme, parts.netloc, urllib.parse.quote(base), "", ""))
    server = Server(_with_slash(root), token)
    for known in running_servers():
        if known.url == server.url or _same_place(known.url, server.url):
            server = Server(server.url, token or known.token, known.root, known.pid, known.password)
    return Address(server, kernel[1] if kernel else "", notebook[1] if notebook else "")


def without_secrets(url: str) -> str:
    """A URL that may be shown: without token and password."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))


def kernels_of(server: Server) -> tuple[ServerKernel, ...]:
    """The kernels of a server, with their notebooks. Raises EnvironmentRefused: no answer, wrong token, no server."""
    sessions = ask(server, "api/sessions")
    if not isinstance(sessions, list):
        raise EnvironmentRefused(f"{server.shown}: not a Jupyter server (its /api/sessions is not a list)")
    found = [kernel for entry in sessions for kernel in _session(server, entry)]
    known = {kernel.kernel_id for kernel in found}
    for entry in ask(server, "api/kernels"):
        if isinstance(entry, dict) and entry.get("id") not in known:
            state = str(entry.get("execution_state") or "")
            found.append(ServerKernel(server, str(entry.get("id")), "", str(entry.get("name") or ""), state))
    return tuple(found)


def _session(server: Server, entry: Any) -> Iterator[ServerKernel]:
    kernel = entry.get("kernel") if isinstance(entry, dict) else None
    if not isinstance(kernel, dict) or not kernel.get("id"):
        return
    path = str(entry.get("path") or "")
    if entry.get("type") == "console":
        path = ""
    elif server.root and path:
        path = os.path.join(server.root, path)
    state = str(kernel.get("execution_state") or "")
    yield ServerKernel(server, str(kernel["id"]), path, str(kernel.get("name") or ""), state)


def ask(server: Server, what: str) -> Any:
    """The JSON that the server answers to ``GET what``. Raises EnvironmentRefused, without the token in its message."""
    request = urllib.request.Request(server.url + what)
    if server.token:
        request.add_header("Authorization", f"token {server.token}")
    try:
        with _opener(server.url).open(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(server, error.code, what) from None
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise EnvironmentRefused(
            f"{server.shown}: no Jupyter server answers there ({reason})",
            "`jupyter server list` names the servers that run on this machine",
        ) from None
    except ValueError:
        if server.token or server.password:
            raise _refused(server, 403, what) from None
        raise EnvironmentRefused(f"{server.shown}: not a Jupyter server (no JSON at /{what})") from None


def _refused(server: Server, status: int, what: str) -> EnvironmentRefused:
    if status in {401, 403, 302}:
        if server.token:
            return EnvironmentRefused(
                f"{server.shown}: the server refuses this token (status {status})",
                "`jupyter server list` shows the right one; pass it with --token-env VARIABLE",
            )
        return EnvironmentRefused(
            f"{server.shown}: the server wants a token (status {status})",
            "put it into a variable and name that: --token-env VARIABLE; with a password instead of a token, name the "
            "kernel's connection file (%connect_info shows it)",
        )
    return EnvironmentRefused(f"{server.shown}: not a Jupyter server (status {status} for /{what})")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A server that wants a password answers with its login page: that is a refusal, and no token goes elsewhere."""

    def redirect_request(self, *arguments: Any, **options: Any) -> None:
        return None


def _opener(url: str) -> urllib.request.OpenerDirector:
    handlers: list[Any] = [_NoRedirects()]
    if urllib.parse.urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}:
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy for the internet does not know our loopback
    return urllib.request.build_opener(*handlers)


def _with_slash(url: str) -> str:
    return url if url.endswith("/") else url + "/"


def _same_place(one: str, other: str) -> bool:
    """Whether two addresses are one server of this machine: localhost and 127.0.0.1 are."""
    mine, yours = urllib.parse.urlsplit(one), urllib.parse.urlsplit(other)
    here = {"localhost", "127.0.0.1", "::1"}
    return (mine.port, mine.path) == (yours.port, yours.path) and {mine.hostname, yours.hostname} <= here
