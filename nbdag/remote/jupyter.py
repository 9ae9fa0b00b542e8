"""A kernel of a Jupyter server as a target; files go through its Contents API, or through an object store."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from typing import Any

from nbdag.errors import EnvironmentRefused, NbdagError, RemoteError, UsageError
from nbdag.remote.channels import KernelChannel, Reply
from nbdag.remote.model import Target
from nbdag.remote.rest import JupyterServer
from nbdag.remote.wire import Message


class JupyterConnection:
    """A kernel that was started for us. ``files`` is the server's directory for parcels, "" where a store is used."""

    def __init__(self, server: JupyterServer, channel: KernelChannel, files: str, store: Any) -> None:
        self._server = server
        self._channel = channel
        self._files = files
        self._store = store

    @classmethod
    def open(cls, target: Target, token: str, told: Callable[[str], None]) -> JupyterConnection:
        """Start a kernel on ``target``. Raises EnvironmentRefused where files can get there in no way."""
        server = JupyterServer(target.url, token)
        store = _Store(target.store) if target.store else None
        if store is None and not server.has_contents():
            raise EnvironmentRefused(
                f"{target.name}: {target.url} serves kernels and no files (a gateway)",
                "name a store that both sides reach: %nbdag remote add NAME URL --store s3://bucket/path",
            )
        if target.kernel:
            known = sorted(server.kernelspecs().get("kernelspecs") or {})
            if target.kernel not in known:
                raise UsageError(
                    f"{target.name}: {target.url} has no kernel {target.kernel!r}",
                    f"it has {', '.join(known) or 'none'}",
                )
        files = ""
        if store is None:
            files = f"nbdag-transfer-{uuid.uuid4().hex[:12]}"  # no dot: servers hide such files, and refuse them
            server.make_directory(files)
        kernel = server.start_kernel(target.kernel)
        channel = KernelChannel(server, kernel, told=told)
        made = cls(server, channel, files, store)
        try:
            channel.open()
        except BaseException:
            made.close()
            raise
        return made

    @property
    def incarnation(self) -> str:
        """The id of the kernel."""
        return self._channel.kernel

    @property
    def files_come_by_themselves(self) -> bool:
        """See ``Connection``: the server writes them. What comes out of a store, the process itself has to fetch."""
        return self._store is None

    def evaluate(
        self, expression: str, within: float | None = None, troubled: Callable[[], bool] = lambda: False
    ) -> str:
        """See ``Connection``."""
        return self._channel.evaluate(expression, within, troubled)

    def post(self, expression: str) -> None:
        """See ``Connection``."""
        self._channel.post(expression)

    def execute(self, code: str, hear: Callable[[Message], None], then: str = "") -> Reply:
        """See ``Connection``."""
        return self._channel.execute(code, hear, then)

    def interrupt(self) -> None:
        """See ``Connection``."""
        self._channel.interrupt()

    def mark(self, token: str) -> str:
        """See ``Connection``."""
        if self._store is not None:
            return ""
        self._server.put(f"{self._files}/marker.txt", token.encode("ascii"))
        return f"{self._files}/marker.txt"

    def put(self, name: str, content: bytes) -> None:
        """See ``Connection``."""
        if self._store is not None:
            self._store.put(name, content)
        else:
            self._server.put(f"{self._files}/{name}", content)

    def arrived(self, names: tuple[str, ...]) -> None:
        """See ``Connection``."""
        if self._store is not None:
            self._there(self._store.fetch_there(names))
            self.forget(names)

    def ready(self, names: tuple[str, ...]) -> None:
        """See ``Connection``."""
        if self._store is not None:
            self._there(self._store.send_there(names))

    def get(self, name: str) -> bytes:
        """See ``Connection``."""
        if self._store is not None:
            content = bytes(self._store.get(name))
            self.forget((name,))
            return content
        return self._server.get(f"{self._files}/{name}")

    def forget(self, names: tuple[str, ...]) -> None:
        """See ``Connection``."""
        for name in names:
            try:
                if self._store is not None:
                    self._store.remove(name)
                else:
                    self._server.remove(f"{self._files}/{name}")
            except Exception:  # what is left there is a file in a directory that goes when the visit ends
                pass

    def close(self) -> None:
        """See ``Connection``."""
        self._channel.close()
        with contextlib.suppress(NbdagError):
            self._server.end_kernel(self._channel.kernel)
        if self._files:
            with contextlib.suppress(NbdagError):
                self._server.remove(self._files)

    def _there(self, expression: str) -> None:
        said = self._channel.evaluate(expression)
        if said != "done":
            raise RemoteError(
                f"the store cannot be used there: {said[:300]}", "fsspec, and what it needs, must be installed there"
            )


# Both run there; "file" needs no package.
_FETCH = """
def work(url, names, directory):
    import os, shutil
    for name in names:
        target = os.path.join(directory, name)
        if url.startswith("file://"):
            shutil.copyfile(os.path.join(url[7:], name), target)
        else:
            import fsspec
            with fsspec.open(url + "/" + name, "rb") as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
"""
_SEND = """
def work(url, names, directory):
    import os, shutil
    for name in names:
        source = os.path.join(directory, name)
        if url.startswith("file://"):
            os.makedirs(url[7:], exist_ok=True)
            shutil.copyfile(source, os.path.join(url[7:], name))
        else:
            import fsspec
            with open(source, "rb") as file, fsspec.open(url + "/" + name, "wb") as target:
                shutil.copyfileobj(file, target)
"""
_DO = """
def do(work, *arguments):
    try:
        work(*arguments)
        return "done"
    except Exception as fault:
        return type(fault).__name__ + ": " + str(fault)
ANSWER = do(work, URL, NAMES, DIRECTORY)
"""


class _Store:
    """An object store that both sides reach, through fsspec."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError:
            raise EnvironmentRefused("--store needs the package fsspec", "pip install 'nbdag[cloud]'") from None
        self._url = f"{url.rstrip('/')}/nbdag-{uuid.uuid4().hex[:12]}"
        try:
            to_files: Any = fsspec.core.url_to_fs
            self._files, self._root = to_files(self._url)
        except (ImportError, ValueError) as fault:
            raise EnvironmentRefused(f"--store {url}: {fault}") from None

    def put(self, name: str, content: bytes) -> None:
        self._on_store(
            lambda: (self._files.makedirs(self._root, exist_ok=True), self._files.pipe(f"{self._root}/{name}", content))
        )

    def get(self, name: str) -> bytes:
        return bytes(self._on_store(lambda: self._files.cat_file(f"{self._root}/{name}")))

    def remove(self, name: str) -> None:
        self._files.rm(f"{self._root}/{name}")

    def fetch_there(self, names: tuple[str, ...]) -> str:
        return self._expression(_FETCH, names)

    def send_there(self, names: tuple[str, ...]) -> str:
        return self._expression(_SEND, names)

    def _expression(self, code: str, names: tuple[str, ...]) -> str:
        directory = "__import__('sys').modules['nbdag_agent'].visit_command('place', {})['directory']"
        space = f"{{'URL': {self._url!r}, 'NAMES': {list(names)!r}, 'DIRECTORY': {directory}}}"
        return f"(lambda space: (exec({code + _DO!r}, space), space['ANSWER'])[1])({space})"

    def _on_store(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as fault:  # every kind of store has its own
            raise RemoteError(f"the store {self._url} cannot be used here: {type(fault).__name__}: {fault}") from None
