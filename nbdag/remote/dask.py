"""A worker of a Dask cluster as a target: the cell runs in the worker's process, files go through Dask's own messages.

Nothing of nbdag is installed there; IPython has to be. Calls are builtins with text as argument (``eval``), as these
are all that a worker can unpickle without nbdag.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from nbdag.errors import ConnectionLost, EnvironmentRefused, KernelDied, KernelProtocolError, UsageError
from nbdag.link import link
from nbdag.remote.channels import Reply
from nbdag.remote.model import Target
from nbdag.remote.wire import Message

_CONNECT_SECONDS = 15
_COME_BACK_SECONDS = 15.0  # without any worker until the cluster counts as having none
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25  # seconds between looks at a cell that runs
_MODULE = "nbdag_host"
_INSTALL = f"""
import sys, types
module = sys.modules.get({_MODULE!r})
if module is None:
    module = types.ModuleType({_MODULE!r})
    exec(compile(SOURCE, "<nbdag host>", "exec"), module.__dict__)
    sys.modules[{_MODULE!r}] = module
"""
_PLACE = "__import__('sys').modules['nbdag_agent'].visit_command('place', {})['directory']"


class DaskConnection:
    """One worker process, by its address."""

    def __init__(self, client: Any, worker: str, process: str) -> None:
        self._client = client
        self._worker = worker
        self._process = process
        self._directory = ""
        self._gone = False

    @classmethod
    def open(cls, target: Target, told: Callable[[str], None]) -> DaskConnection:
        """Connect to the scheduler at ``target.url`` and choose a worker: the one named ``target.kernel``, or an idle.

        Raises ConnectionLost, UsageError, EnvironmentRefused.
        """
        try:
            from distributed import Client  # type: ignore[import-untyped,import-not-found,unused-ignore]
        except ImportError:
            raise EnvironmentRefused(
                "Dask clusters need the package distributed", "pip install 'nbdag[dask]'"
            ) from None
        try:
            client = Client(target.url, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as fault:
            raise ConnectionLost(f"{target.url} does not answer: {str(fault)[:200]}", "is the scheduler up?") from None
        try:
            begun = time.monotonic()
            while not (workers := _workers_of(client)) and time.monotonic() - begun < _COME_BACK_SECONDS:
                time.sleep(_LONGEST_PAUSE)  # one that has died is started again by its nanny
            worker = _choose(target, workers)
            made = cls(client, worker, "")
            made._run(exec, _INSTALL, {"SOURCE": link(("nbdag.portable.hosting",))})
            try:
                made._process = f"{worker} {made._call('host_pid')}"
                made._call("host_call", "poll", 0)
            except (ImportError, ModuleNotFoundError) as fault:
                raise EnvironmentRefused(
                    f"{worker}: {fault}", "cells need IPython: install it on the workers"
                ) from None
            told(f"cells run in the worker {worker}")
            return made
        except BaseException:
            client.close()
            raise

    @property
    def incarnation(self) -> str:
        """The worker and its process."""
        return self._process

    @property
    def files_come_by_themselves(self) -> bool:
        """See ``Connection``: they come through the worker, which does one thing after another."""
        return False

    def evaluate(
        self, expression: str, within: float | None = None, troubled: Callable[[], bool] = lambda: False
    ) -> str:
        """See ``Connection``."""
        answer = self._work("evaluate", expression, lambda message: None)
        if answer["status"] != "ok":
            raise KernelProtocolError(f"in the worker: {answer['ename']}: {answer['evalue'][:500]}")
        return str(answer["value"])

    def post(self, expression: str) -> None:
        """See ``Connection``."""
        self.evaluate(expression)

    def interrupt(self) -> None:
        """See ``Connection``."""
        self._call("host_call", "interrupt")

    def execute(self, code: str, hear: Callable[[Message], None], then: str = "") -> Reply:
        """See ``Connection``."""
        answer = self._work("execute", code, hear)
        return Reply(
            str(answer["status"]),
            str(answer.get("ename", "")),
            str(answer.get("evalue", "")),
            tuple(answer.get("traceback", ())),
            answer.get("execution_count"),
        )

    def mark(self, token: str) -> str:
        """See ``Connection``."""
        return ""

    def put(self, name: str, content: bytes) -> None:
        """See ``Connection``."""
        self._call("host_write", self._place(), name, content)

    def arrived(self, names: tuple[str, ...]) -> None:
        """See ``Connection``."""

    def ready(self, names: tuple[str, ...]) -> None:
        """See ``Connection``."""

    def get(self, name: str) -> bytes:
        """See ``Connection``."""
        return bytes(self._call("host_read", self._place(), name))

    def forget(self, names: tuple[str, ...]) -> None:
        """See ``Connection``."""
        with contextlib.suppress(Exception):
            for name in names:
                self._call("host_remove", self._place(), name)

    def close(self) -> None:
        """See ``Connection``. The worker's process goes on: it is the cluster's."""
        if not self._gone:
            with contextlib.suppress(Exception):
                for command, arguments in (("settle", {"request": "", "refused": True}), ("leave", {}), ("stop", {})):
                    call = f"visit_command({command!r}, {arguments!r})"
                    self.evaluate(f"str(__import__('sys').modules['nbdag_agent'].{call})")
        with contextlib.suppress(Exception):
            self._client.close()

    # -------------------------------------------------------------------------------------------- inside

    def _work(self, kind: str, text: str, hear: Callable[[Message], None]) -> dict[str, Any]:
        self._call("host_call", "start", kind, text)
        heard, pause, interrupted = 0, _FIRST_PAUSE, False
        while True:
            try:
                found = self._call("host_call", "poll", heard)
                for message in found["messages"]:
                    heard += 1
                    hear(Message("iopub", message["kind"], message["content"]))
                if found["answer"] is not None and not found["messages"]:
                    return dict(found["answer"])
                if not found["messages"]:
                    time.sleep(pause)
                    pause = min(pause * 1.5, _LONGEST_PAUSE)
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                self._call("host_call", "interrupt")

    def _place(self) -> str:
        self._directory = self._directory or self.evaluate(_PLACE)
        return self._directory

    def _call(self, name: str, *arguments: Any) -> Any:
        space = {"ARGUMENTS": arguments}
        return self._run(eval, f"__import__('sys').modules[{_MODULE!r}].{name}(*ARGUMENTS)", space)

    def _run(self, work: Any, *arguments: Any) -> Any:
        from distributed.comm import CommClosedError  # type: ignore[import-untyped,import-not-found,unused-ignore]

        try:
            return self._client.run(work, *arguments, workers=[self._worker])[self._worker]
        except (CommClosedError, TimeoutError, KeyError, OSError) as fault:
            self._gone = True
            if self._scheduler_answers():
                raise KernelDied(
                    f"the worker {self._worker} is gone", "often memory; the session here is as it was before the cell"
                ) from None
            raise ConnectionLost(f"the scheduler of {self._worker} does not answer: {fault}") from None

    def _scheduler_answers(self) -> bool:
        try:
            self._client.ncores()
            return True
        except Exception:  # whatever the comm and the event loop raise
            return False


def _workers_of(client: Any) -> dict[str, Any]:
    """The workers by address."""
    try:
        return dict(client.scheduler_info(n_workers=-1)["workers"])
    except TypeError:  # before distributed 2025
        return dict(client.scheduler_info()["workers"])


def _choose(target: Target, workers: dict[str, Any]) -> str:
    if not workers:
        raise EnvironmentRefused(f"{target.name}: {target.url} has no workers", "start one, or wait until one is there")
    if target.kernel:
        for address, worker in workers.items():
            if target.kernel in (address, str(worker.get("name"))):
                return str(address)
        names = ", ".join(sorted(str(worker.get("name")) for worker in workers.values()))
        raise UsageError(f"{target.name}: no worker is called {target.kernel}", f"there are {names}")
    return str(min(workers, key=lambda address: (workers[address].get("metrics", {}).get("executing", 0), address)))
