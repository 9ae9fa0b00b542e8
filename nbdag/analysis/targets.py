"""Which kernel is meant by a word on the command line: a notebook, a kernel's id, a connection file, an address."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbdag.analysis import kernels as kept
from nbdag.analysis.running import Found, RunningKernel, probe, running_kernels
from nbdag.analysis.servers import Server, kernels_of, read_address, runtime_directory, without_secrets
from nbdag.errors import EnvironmentRefused, KernelDied, UsageError

_LIST = "`nbdag kernels` lists the kernels that run"


@dataclass(frozen=True, slots=True)
class Target:
    """The kernel that is meant: by its connection file, or by its server where the file is on another machine."""

    kernel: RunningKernel
    server: Server | None = None  # set where only the server leads to the kernel
    notebook: str = ""  # absolute path, "" where none is known

    @property
    def connection_file(self) -> Path | None:
        return Path(self.kernel.connection_file) if self.kernel.connection_file else None


def find_target(
    word: str,
    *,
    server: str = "",
    token: str = "",
    state_directory: Path = Path(".nbdag"),
    directory: Path | None = None,
) -> Target:
    """The one kernel that ``word`` means. ``server`` and ``token`` say where else to ask.

    Raises UsageError (nothing or several fit), EnvironmentRefused (the server), KernelDied (a file of a dead kernel).
    """
    if word.startswith(("http://", "https://")):
        return _at_address(word, token, directory)
    path = Path(word).expanduser()
    if path.suffix == ".json" and path.is_file():
        return _of_file(path)
    servers = [read_address(server, token).server] if server else None
    for one in servers or ():
        kernels_of(one)  # a server that was named and refuses is an error, not merely a server less
    files = [session.connection_file for session in kept.sessions(state_directory)]
    found = running_kernels(files, servers=servers, directory=directory)
    looks_like_file = path.suffix in {".ipynb", ".py", ".json"} or os.sep in word
    chosen = by_notebook(found.kernels, path) if looks_like_file else _by_id(found.kernels, word)
    if len(chosen) == 1:
        return _target(chosen[0], servers or ())
    if chosen:
        what = f"{len(chosen)} kernels run {word}" if looks_like_file else f"{word!r} fits {len(chosen)} kernels"
        raise UsageError(f"{what}: {_names(chosen)}", "name one of them by its id, or by how the id begins")
    raise _nothing(word, path, looks_like_file, found)


def live_kernel_of(notebook: Path, directory: Path | None = None) -> tuple[RunningKernel, ...]:
    """The kernels that run this notebook in a Jupyter server or an editor of this machine; quickly none without any."""
    if not _anything(directory or runtime_directory()):
        return ()
    found = by_notebook(running_kernels(directory=directory).kernels, notebook)
    return tuple(kernel for kernel in found if kernel.connection_file)


def by_notebook(kernels: Sequence[RunningKernel], notebook: Path) -> list[RunningKernel]:
    """The kernels that run this notebook; where the server of a kernel is far away, by the end of its path."""
    real = os.path.realpath(notebook)
    return [
        kernel
        for kernel in kernels
        if kernel.notebook
        and (
            os.path.realpath(kernel.notebook) == real
            if os.path.isabs(kernel.notebook)
            else real.endswith(os.sep + kernel.notebook) or kernel.notebook == str(notebook)
        )
    ]


def _by_id(kernels: Sequence[RunningKernel], word: str) -> list[RunningKernel]:
    exact = [kernel for kernel in kernels if word in {kernel.kernel_id, str(kernel.pid)}]
    return exact or [kernel for kernel in kernels if kernel.kernel_id.startswith(word)]


def _of_file(path: Path) -> Target:
    found = probe([path.absolute()])
    if found:
        return _target(found[0], ())
    from nbdag.analysis.agent_client import read_connection_file

    read_connection_file(path)  # says what is wrong with it, if something is
    raise KernelDied(f"{path}: no kernel answers there", f"it has ended; {_LIST}")


def _at_address(url: str, token: str, directory: Path | None) -> Target:
    address = read_address(url, token)
    entries = kernels_of(address.server)  # raises what is wrong with the server
    found = running_kernels(servers=[address.server], directory=directory)
    mine = {entry.kernel_id for entry in entries}
    kernels = [kernel for kernel in found.kernels if kernel.kernel_id in mine]
    shown = without_secrets(url)
    if address.kernel_id:
        kernels = [kernel for kernel in kernels if kernel.kernel_id == address.kernel_id]
    elif address.notebook:
        end = address.notebook
        kernels = [kernel for kernel in kernels if kernel.notebook == end or kernel.notebook.endswith("/" + end)]
    if len(kernels) == 1:
        return _target(kernels[0], [address.server])
    if kernels:
        raise UsageError(
            f"{shown} runs {len(kernels)} kernels: {_names(kernels)}", "name one by its id or its notebook"
        )
    what = f"no kernel {address.kernel_id}" if address.kernel_id else f"no kernel runs {address.notebook}"
    what = what if address.kernel_id or address.notebook else "no kernel runs there"
    raise UsageError(f"{shown}: {what}", "open the notebook there and run a cell; `nbdag kernels` shows what runs")


def _target(kernel: RunningKernel, servers: Sequence[Server]) -> Target:
    if kernel.language not in {"python", ""}:
        raise UsageError(f"kernel {kernel.kernel_id} speaks {kernel.language}; nbdag moves Python sessions", _LIST)
    far = next((server for server in servers if server.shown == kernel.server), None)
    notebook = kernel.notebook if os.path.isabs(kernel.notebook) and os.path.exists(kernel.notebook) else ""
    return Target(kernel, None if kernel.connection_file else far, notebook)


def _nothing(word: str, path: Path, looks_like_file: bool, found: Found) -> UsageError | EnvironmentRefused:
    trouble = f" ({'; '.join(found.problems)})" if found.problems else ""
    if not looks_like_file:
        if re.fullmatch(r"[0-9a-fA-F-]{8,36}", word) or not path.exists():
            return UsageError(f"no kernel {word!r} runs here{trouble}", _LIST)
        return UsageError(f"{word}: neither a notebook nor a connection file", _LIST)
    if not path.exists() and path.suffix == ".json":
        return UsageError(f"{word}: no such connection file", _LIST)
    if not path.exists():
        return UsageError(f"{word}: no such notebook{trouble}", _LIST)
    return UsageError(
        f"no kernel runs {word}{trouble}",
        f"open it in Jupyter and run a cell, or let nbdag run it: nbdag analyze {word}",
    )


def _names(kernels: Sequence[RunningKernel]) -> str:
    return ", ".join(
        f"{kernel.kernel_id} ({kernel.state}{', ' + Path(kernel.notebook).name if kernel.notebook else ''})"
        for kernel in kernels
    )


def _anything(directory: Path) -> bool:
    try:
        return any(entry.name.startswith(("jpserver-", "nbserver-", "kernel")) for entry in os.scandir(directory))
    except OSError:
        return False
