"""One process on a target, as this side knows it: how to reach it, what it holds, and parcels to it and back."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from nbdag.errors import (
    EnvironmentRefused,
    IntegrityError,
    KernelDied,
    KernelProtocolError,
    NbdagError,
    RemoteError,
)
from nbdag.portable.parcel import ParcelDamaged, ParcelWriter, blobs_of_groups, read_parcel
from nbdag.remote.agent import VisitAgent
from nbdag.remote.flights import AT_ONCE, Flights, in_order
from nbdag.remote.ledger import Ledger
from nbdag.remote.measure import loaded_distributions
from nbdag.remote.model import Link, Needs, Target, Transfer
from nbdag.remote.targets import Connection, connect

PART_SIZE = 8 << 20  # bytes: one PUT each; small enough to send again after a broken connection
_MOST_STORED = 4 << 30  # bytes of blobs that are kept here so as not to fetch them again
_TELLING = 1 << 20  # bytes from which on a transfer tells how fast the line is
_MOST_NAMED = 6
_STARTS = 3  # tries to start a process there
_START_SECONDS = 90.0  # until a process that was started answers


class ResultWaits(RemoteError):
    """The cell has run there, its result is there still, and could not be taken over now."""


class Watcher(Protocol):
    """Who wants to know how far it is."""

    def needs(self, target: str, needs: Needs) -> None:
        """What will be sent, before it goes."""
        ...

    def begin(self, stage: str, total: float | None) -> None:
        """A stage of so many bytes begins: "sending", "running", "fetching"."""
        ...

    def advance(self, amount: float) -> None:
        """So many bytes further."""
        ...

    def say(self, message: str) -> None:
        """A sentence."""
        ...


@dataclass(slots=True, eq=False)
class There:
    """The process; ``about`` is what it says of itself, ``differing`` the modules that are of another version there."""

    target: Target
    connection: Connection
    link: Link
    ledger: Ledger
    agent: VisitAgent
    about: Mapping[str, Any]
    differing: frozenset[str] = frozenset()
    store: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="nbdag-remote-"))  # blobs here
    settling: dict[str, Any] = field(default_factory=dict)  # what may not have been settled there yet
    waiting: bool = False  # whether it may wait for parts that do not come any more

    @classmethod
    def open(cls, target: Target, token: str, link: Link, watcher: Watcher) -> There:
        """Start a process on ``target`` and send nbdag's code in. Raises NbdagError.

        One that ends at once, or does not answer, is another try: two that start at the same time may take a port from
        each other.
        """
        for attempt in range(1, _STARTS + 1):
            try:
                return cls._open(target, token, link, watcher)
            except KernelDied as fault:
                if attempt == _STARTS:
                    raise
                watcher.say(f"{target.name}: {fault.message} when it was started; starting another one")
        raise AssertionError

    @classmethod
    def _open(cls, target: Target, token: str, link: Link, watcher: Watcher) -> There:
        connection = connect(target, token, watcher.say)
        try:
            agent = VisitAgent(connection)
            agent.install(_START_SECONDS)
            sign = uuid.uuid4().hex
            here = loaded_distributions()
            asked = [f"{module}={distribution}" for module, (distribution, _) in here.items()]
            about = agent.arrive({"marker": connection.mark(sign), "token": sign, "modules": asked})
            if not about["directory"]:
                raise EnvironmentRefused(
                    f"{target.name}: the kernel does not see the files of {target.url}: it runs elsewhere",
                    "name a store that both reach: %nbdag remote add NAME URL --store s3://bucket/path",
                )
        except BaseException:
            connection.close()
            raise
        others = {
            module: (version, about["packages"][module])
            for module, (_, version) in here.items()
            if about["packages"].get(module, version) != version
        }
        if others:
            named = [f"{module} {there} (here {version})" for module, (version, there) in sorted(others.items())]
            more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
            watcher.say(f"{target.name} has other versions: {', '.join(named[:_MOST_NAMED])}{more}")
        if not _same_python(str(about["python"])):
            watcher.say(f"{target.name} has Python {about['python']}, here it is {platform.python_version()}")
        ledger = Ledger(incarnation=connection.incarnation)
        return cls(target, connection, link, ledger, agent, about, frozenset(others))

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one command there."""
        self._end_waiting()
        return self.agent.command(name, arguments)

    def close(self) -> None:
        """End the process. What it held is forgotten."""
        self.connection.close()
        shutil.rmtree(self.store, ignore_errors=True)

    def may_differ(self, groups: Iterable[Mapping[str, Any]]) -> bool:
        """Whether values of these groups may rightly look different there: other versions of what they are made of."""
        modules = {module for group in groups for module in group["modules"]}
        return not _same_python(str(self.about["python"])) or not self.differing.isdisjoint(modules)

    # -------------------------------------------------------------------------------------------- parcels

    def deliver(
        self, request: str, manifest: Mapping[str, Any], groups: Iterable[Mapping[str, Any]], watcher: Watcher
    ) -> tuple[Transfer, dict[str, Any]]:
        """Send a manifest, and those blobs of ``groups`` that are not there, and let it be received there.

        The answer of "receive", and what went; its seconds are those of the line. The process there is asked at once,
        and waits for what is under way. The progress counts bytes of blobs.
        """
        blobs = blobs_of_groups(map(dict, groups))
        new = sorted(set(blobs) - self.ledger.blobs)
        watcher.begin("sending", sum(blobs[digest] for digest in new))
        beside = self.connection.files_come_by_themselves
        flights = Flights(AT_ONCE if beside else 1)
        names: list[str] = []
        sizes: list[int] = []
        futures = []

        def put(number: int, content: bytes) -> None:
            name = f"{request}.{number}"
            futures.append(flights.start(lambda: self.connection.put(name, content)))
            names.append(name)
            sizes.append(len(content))
            watcher.advance(len(content))

        self._end_waiting()
        writer = ParcelWriter(put, PART_SIZE)
        written = writer.write(dict(manifest), self.store, new, self.link.bytes_per_second)
        if not beside:
            for future in futures:
                future.result()
            self.connection.arrived(tuple(names))
        asked = {"request": request, "parts": names, "sizes": sizes, "settled": self.settling}
        text = self.agent.expression("receive", {**asked, "sha256": written["sha256"]})
        self.waiting = beside
        try:
            said = self.connection.evaluate(text, troubled=lambda: flights.failure is not None)
            self.waiting = False
            answer = self.agent.answer("receive", said)
        except NbdagError as fault:
            if flights.failure is not None and not isinstance(fault, KernelDied):
                raise flights.failure from None
            if isinstance(fault, KernelProtocolError) and "KeyboardInterrupt" in fault.message:
                raise KeyboardInterrupt from None
            raise
        self.settling = {}
        if written["size"] >= _TELLING:
            self.link = replace(self.link, bytes_per_second=written["size"] / max(flights.seconds, 1e-6))
        return Transfer(written["size"], flights.seconds, written["raw_size"]), answer

    def _end_waiting(self) -> None:
        """If the process there still waits for parts which will not come, it need not any longer."""
        if self.waiting:
            self.connection.interrupt()
            self.waiting = False

    def settle(self, request: str, parts: Iterable[str]) -> None:
        """Both sides are equal now: the process there gets to know, now or at the latest before the next cell."""
        self.settling = {"request": request, "parts": list(parts)}
        with contextlib.suppress(NbdagError):
            self.connection.post(self.agent.expression("settle", self.settling))

    def fetch_parcel(self, answer: Mapping[str, Any], watcher: Watcher) -> dict[str, Any]:
        """The manifest of a parcel that lies there; its blobs are in the store. Raises ResultWaits."""
        watcher.begin("fetching", answer["size"])
        names = tuple(answer["parts"])
        self.connection.ready(names)
        flights = Flights(AT_ONCE if self.connection.files_come_by_themselves else 1)

        def parts() -> Any:
            works = [lambda name=name: self.connection.get(name) for name in names]
            for content in in_order(flights, works):
                watcher.advance(len(content))
                yield content

        again = f"%nbdag remote fetch {self.target.name} tries again"
        try:
            manifest = read_parcel(parts(), answer["sha256"], self.store)
        except ParcelDamaged as fault:
            raise ResultWaits(
                f"what came from {self.target.name} is not what was sent: {fault}; the session is as it was", again
            ) from None
        except OSError as fault:
            raise ResultWaits(
                f"cannot write in {self.store}: {fault.strerror}; the session is as it was", f"make room; then {again}"
            ) from None
        if answer["size"] >= _TELLING:
            self.link = replace(self.link, bytes_per_second_back=answer["size"] / max(flights.seconds, 1e-6))
        return manifest

    def refuse_if_damaged(self, answer: Mapping[str, Any]) -> None:
        """Raise IntegrityError where what was sent arrived otherwise."""
        if "damaged" in answer:
            raise IntegrityError(
                f"what arrived at {self.target.name} is not what was sent: {answer['damaged']}", "run the cell again"
            )

    def blobs_here(self) -> list[str]:
        """The digests of the blobs in the store."""
        folder = os.path.join(self.store, "blobs")
        return sorted(name for name in os.listdir(folder) if len(name) == 64) if os.path.isdir(folder) else []

    def prune(self) -> None:
        """Keep the store within bounds, the oldest blobs go first."""
        folder = os.path.join(self.store, "blobs")
        if not os.path.isdir(folder):
            return
        files = sorted((entry.stat().st_mtime, entry.stat().st_size, entry.path) for entry in os.scandir(folder))
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= _MOST_STORED:
                break
            os.unlink(path)
            total -= size


def _same_python(version: str) -> bool:
    return version.split(".")[:2] == platform.python_version().split(".")[:2]
