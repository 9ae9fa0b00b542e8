"""Runs a cell on another machine and makes the session here what it would be if it had run here.

    needs -> what is not there -> parcel -> there: load, compare -> run, outputs as they come
                                                                         |
         the session, in one step <- compare <- decode <- parcel <- what changed

Until the last step the session here is as it was before the cell, whatever fails.
"""

from __future__ import annotations

import contextlib
import platform
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nbdag.errors import ConnectionLost, IntegrityError, KernelDied, KernelProtocolError, NbdagError, RemoteError
from nbdag.portable.agent import recorder_of
from nbdag.portable.namespace import session_items
from nbdag.portable.parcel import blobs_of_groups
from nbdag.remote.apply import Lacking, Unfit, apply_result, decode_result, uninterrupted
from nbdag.remote.channels import Reply
from nbdag.remote.lazy import LAZY_BYTES, RemoteValue, fetch, placeholders, watch_cells
from nbdag.remote.ledger import Ledger
from nbdag.remote.measure import Report, compare_packages, measure_link, modules_of
from nbdag.remote.model import CellRequest, Link, Needs, RemoteRun, Target, Transfer
from nbdag.remote.needs import Reading, Sizes, Survey, names_read, survey_session
from nbdag.remote.outputs import Relay
from nbdag.remote.returning import error_of, notes_of, refuse_lost, refuse_unforeseen
from nbdag.remote.sending import StartAfresh, send
from nbdag.remote.targets import Connection
from nbdag.remote.there import PART_SIZE, ResultWaits, There
from nbdag.remote.there import Watcher as Watcher

_UNMEASURED = Link(0.01, 50e6)  # what a line counts as until a transfer or a test has told more


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run gave, and the exception that the cell raised there (None: it did not)."""

    run: RemoteRun
    error: BaseException | None


@dataclass(frozen=True, slots=True, eq=False)
class _Pending:
    """A cell that runs there or has run, and whose result is not here yet; ``survey`` is from before it."""

    request: str
    needs: Needs
    sent: Transfer
    survey: Survey
    lazy: bool


@dataclass(slots=True)
class RemoteSession:
    """The process on ``target`` that runs cells of ``shell``, from the first cell on until :meth:`close`.

    Raises NbdagErrors; after each of them the session here is as it was before the cell.
    """

    shell: Any
    target: Target
    token: str
    watcher: Watcher
    sizes: Sizes = field(default_factory=Sizes)
    _there: There | None = None
    _link: Link = _UNMEASURED
    _pending: _Pending | None = None
    _warmed: set[str] = field(default_factory=set)

    @property
    def connection(self) -> Connection | None:
        """The connection, None while there is none."""
        return self._there.connection if self._there is not None else None

    @property
    def ledger(self) -> Ledger:
        """What is there; empty while there is no process."""
        return self._there.ledger if self._there is not None else Ledger()

    @property
    def link(self) -> Link:
        """The line as far as it is known."""
        return self._there.link if self._there is not None else self._link

    def open(self) -> There:
        """The process there; it is started if there is none."""
        if self._there is None:
            self._there = There.open(self.target, self.token, self._link, self.watcher)
        return self._there

    def close(self) -> None:
        """End the process there. What it held is forgotten."""
        there, self._there = self._there, None
        self._pending = None
        self._warmed.clear()
        if there is not None:
            self._link = there.link
            there.close()

    def needs(self, source: str, whole: bool = False) -> Needs:
        """What ``source`` needs and how much of that is not there. Nothing is sent, nobody is asked."""
        survey = survey_session(self.shell)
        return self._needs(survey, self._reading(source, survey, whole))

    def test(self) -> Report:
        """How far and how fast the target is, and what it has installed; the link is used from then on."""
        there = self.open()
        there.link = measure_link(there.connection, there.agent)
        packages, same, about = compare_packages(there.agent)
        return Report(
            link=there.link,
            host=str(about["host"]),
            python_here=platform.python_version(),
            python_there=str(about["python"]),
            cwd=str(about["cwd"]),
            packages=packages,
            same_packages=same,
        )

    def warm(self) -> None:
        """Let the process there import what the session's values are made of, while it waits for a cell anyway."""
        there = self._there
        if there is None or self._pending is not None:
            return
        new = sorted(modules_of(self.shell) - self._warmed)
        if new:
            self._warmed.update(new)
            there.connection.post(there.agent.expression("warm", {"modules": new}))

    # -------------------------------------------------------------------------------------------- a cell

    def run(self, request: CellRequest, whole: bool = False, lazy: bool = False) -> Outcome:
        """Run a cell there; ``lazy`` leaves large results there.

        Raises NbdagError, and KeyboardInterrupt where the user gave up waiting for it.
        """
        if recorder_of(self.shell) is None:
            raise RemoteError("nbdag does not record this session", "%load_ext nbdag")
        known = self.ledger if self._there is not None else None
        try:
            there = self._bring(request, whole, lazy)
        except KernelDied as fault:
            if known is None:
                raise
            # Nothing has run: the process ended since the last cell. What is lost with it is what was only there.
            lost = ", ".join(sorted(known.staying | known.left))
            also = f"; {lost} went with it" if lost else ""
            self.watcher.say(f"{fault.message}{also}. Another one is started, and what the cell needs is sent anew")
            there = self._bring(request, whole, lazy)
        pending = self._pending
        assert pending is not None
        relay = Relay(self.shell)
        self.watcher.begin("running", None)
        with self._ended_with_its_process():
            try:
                finish = there.agent.expression("finish", self._finishing(there, pending, [], {}))
                reply = there.connection.execute(request.source, relay.hear, finish)
                return self._finish(there, reply, relay)
            except (KernelDied, ConnectionLost, ResultWaits):
                raise  # the result can still be fetched, or nothing can
            except (NbdagError, KeyboardInterrupt):
                self._start_afresh_quietly(there)
                raise

    def _bring(self, request: CellRequest, whole: bool, lazy: bool) -> There:
        """Bring what the cell needs to the process there."""
        with self._ended_with_its_process():
            survey = survey_session(self.shell)
            reading = self._reading(request.source, survey, whole)
            there = self.open()
            if self._pending is not None:
                self._start_afresh(there)
            left = placeholders(self.shell)
            elsewhere = sorted(name for name in reading.names & left.keys() if not there.ledger.is_there(left[name]))
            if elsewhere:
                fetch(self.shell, elsewhere)
                survey = survey_session(self.shell)
            needs = self._needs(survey, reading)
            self.watcher.needs(self.target.name, needs)
            identity = uuid.uuid4().hex
            try:
                delivered = send(there, self.shell, survey, reading, needs, identity, self.watcher)
            except StartAfresh as found:
                self._start_afresh_quietly(there)
                raise found.error from None
            except KeyboardInterrupt:
                self.close()
                raise
            self._pending = _Pending(identity, delivered.needs, delivered.transfer, survey, lazy)
            return there

    @contextlib.contextmanager
    def _ended_with_its_process(self) -> Iterator[None]:
        """Where the process there is found to have ended, or to be another one, nothing of it counts any more."""
        try:
            yield
        except KernelDied:
            self.close()
            raise

    def fetch(self) -> Outcome:
        """The result of a cell whose connection was lost.

        Raises RemoteError where there is none, or where variables that it needed have changed here since.
        """
        pending, there = self._pending, self._there
        if pending is None or there is None:
            raise RemoteError(f"{self.target.name}: there is no result to fetch")
        now = survey_session(self.shell)
        needed = frozenset(pending.needs.names)
        gone = {name for name in needed if now.items.get(name) is not pending.survey.items[name]}
        self._refuse_moved(gone | (needed - gone - there.ledger.held(needed - gone, now)))
        with self._ended_with_its_process():
            return self._finish(there, Reply("unknown"), Relay(self.shell))

    def fetch_values(self, names: list[str]) -> None:
        """Put values that were left there in the place of their placeholders."""
        there = self.open()
        request = {"request": uuid.uuid4().hex, "names": names, "have": there.blobs_here()}
        lost = RemoteError(
            f"{', '.join(names)} was left on {self.target.name}, and the process there is gone: the value is lost",
            "make it again; without --lazy results come back at once",
        )
        try:
            with self._ended_with_its_process():
                answer = there.command("values", {**request, "part_size": PART_SIZE, "bandwidth": there.link.back})
        except KernelDied:
            raise lost from None
        if answer.get("missing"):
            raise RemoteError(f"{self.target.name} has lost {', '.join(answer['missing'])}", "make it again")
        manifest = there.fetch_parcel(answer, self.watcher)
        for name in names:
            if name in manifest["staying"]:
                raise RemoteError(f"{name} cannot come back: {manifest['staying'][name]}")
        lenient = there.may_differ(manifest["groups"])
        try:
            decoded = decode_result(self.shell.user_ns, manifest, there.store, lenient)
        except (Lacking, Unfit) as fault:
            raise RemoteError(f"{', '.join(names)} cannot come back: {fault}", "cells there can use it") from None
        with uninterrupted():
            apply_result(self.shell, decoded)
        there.ledger.note(manifest["names"], survey_session(self.shell, manifest["names"]))
        there.connection.forget(tuple(answer["parts"]))

    # -------------------------------------------------------------------------------------------- inside

    def _reading(self, source: str, survey: Survey, whole: bool) -> Reading:
        reading = names_read(self.shell, source, survey)
        return replace(reading, names=frozenset(survey.items)) if whole else reading

    def _needs(self, survey: Survey, reading: Reading) -> Needs:
        missing = reading.names - self.ledger.held(reading.names, survey)
        self.sizes.forget_missing(survey)
        return Needs(
            names=tuple(sorted(reading.names)),
            missing=tuple(sorted(missing)),
            bytes=self.sizes.total(self.shell, survey, missing, exact=True),
            whole_bytes=self.sizes.total(self.shell, survey, survey.items, exact=False),
            opaque=reading.opaque,
            unknown=reading.unknown,
        )

    def _refuse_moved(self, names: frozenset[str] | set[str]) -> None:
        if names:
            raise RemoteError(
                f"the session has gone on since: {', '.join(sorted(names)[:8])} changed here",
                "the result would not fit; run the cell again",
            )

    def _finish(self, there: There, reply: Reply, relay: Relay) -> Outcome:
        """Take over what the cell did."""
        pending = self._pending
        assert pending is not None
        before = pending.survey.items
        refuse_unforeseen(reply, before, pending.needs.names)
        begun = time.perf_counter()
        lacking: list[str] = []
        unfit: dict[str, str] = {}
        while True:
            answer = None
            if reply.then is not None and not (lacking or unfit):
                with contextlib.suppress(KernelProtocolError):  # interrupted, say: asked again it tells
                    answer = there.agent.answer("finish", reply.then)
            if answer is None:
                answer = there.command("finish", self._finishing(there, pending, lacking, unfit))
            if answer.get("unknown") or (reply.status == "unknown" and not answer["ran"]):
                raise RemoteError(f"{self.target.name} does not know of the cell: it did not run there", "run it again")
            manifest = there.fetch_parcel(answer, self.watcher)
            refuse_lost(manifest, before)
            touched = {*manifest["names"], *manifest["deleted"], *manifest["lazy"]}
            now = session_items(self.shell, self.shell.user_ns)
            self._refuse_moved({name for name in touched if now.get(name) is not before.get(name)})
            try:
                lenient = there.may_differ(manifest["groups"])
                decoded = decode_result(self.shell.user_ns, manifest, there.store, lenient)
                break
            except Lacking as fault:
                if str(fault) in lacking:
                    raise RemoteError(f"what the cell made needs {fault}, which is not installed here") from None
                lacking.append(str(fault))
            except Unfit as fault:
                if not fault.reasons.keys() - unfit.keys():
                    raise IntegrityError(
                        f"what came back is not what it was there: {fault}", "run it here, and please report this"
                    ) from None
                unfit.update({name: f"{name} did not come back whole: {why}" for name, why in fault.reasons.items()})
        left_there = {
            name: RemoteValue(self.target.name, there.connection.incarnation, name, left["type"], left["size"])
            for name, left in manifest["lazy"].items()
        }
        applied, late, took = None, None, time.perf_counter() - begun
        try:
            with uninterrupted():
                applied = apply_result(self.shell, decoded, left_there)
                if left_there:
                    watch_cells(self.shell)
                    there.ledger.left |= left_there.keys()
                self._pending, took = None, time.perf_counter() - begun
            self._settle(there, pending, manifest, answer)
        except KeyboardInterrupt as interrupt:
            if applied is None:
                raise
            self._start_afresh_quietly(there)
            applied.notes.append("interrupted when the result was here already: the session is as after the cell")
            late = interrupt
        fetched = Transfer(answer["size"], took, answer["raw_size"], tuple(manifest["names"]))
        run = RemoteRun(
            target=self.target.name,
            outcome=str(manifest["outcome"] or reply.status),
            seconds=float(manifest["seconds"]),
            needs=pending.needs,
            sent=pending.sent,
            fetched=fetched,
            changed=applied.changed,
            deleted=applied.deleted,
            staying=tuple(sorted({*manifest["staying"], *left_there})),
            notes=(*applied.notes, *decoded.doubts, *notes_of(there, manifest, before, relay, reply)),
            outputs=relay.shown,
        )
        return Outcome(run, late or error_of(reply, manifest))

    def _finishing(
        self, there: There, pending: _Pending, lacking: list[str], unfit: Mapping[str, str]
    ) -> dict[str, Any]:
        """What asks for what changed, as a parcel, without what is ``unfit`` or needs the packages ``lacking`` here."""
        asked = {"request": pending.request, "have": there.blobs_here(), "lazy": LAZY_BYTES if pending.lazy else None}
        return {**asked, "part_size": PART_SIZE, "bandwidth": there.link.back, "lacking": lacking, "unfit": unfit}

    def _settle(self, there: There, pending: _Pending, manifest: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Both sides are equal now: note it. A failure here costs a transfer at the next cell, and no more."""
        ledger = there.ledger
        there.settle(pending.request, answer["parts"])
        after = survey_session(self.shell, [*manifest["names"], *manifest["deleted"]])
        ledger.drop([*manifest["changed"], *manifest["names"], *manifest["deleted"], *manifest["staying"]])
        parted = {name for name, _ in manifest["parted"]}  # what stays there could change it there
        ledger.note([name for name in manifest["names"] if name in after.items and name not in parted], after)
        ledger.staying |= set(manifest["staying"]) - after.items.keys()
        for name in pending.needs.names:  # what was linked with something else before is in another group now
            entry = ledger.entries.get(name)
            regrouped = entry is not None and name in after.items and entry.group != after.group_of(name)
            if regrouped and after.group_of(name) <= ledger.entries.keys():
                ledger.note([name], after)
        ledger.blobs |= set(blobs_of_groups(manifest["groups"]))
        ledger.states.update(manifest["random"])
        there.prune()

    def _start_afresh(self, there: There) -> None:
        """Nothing of what is there counts any more, but what was left there to be read later."""
        pending, self._pending = self._pending, None
        old = there.ledger
        there.ledger = Ledger(blobs=old.blobs, left=old.left, incarnation=old.incarnation)
        there.settling = {}
        left = [name for name, value in placeholders(self.shell).items() if old.is_there(value)]
        request = pending.request if pending else ""
        answer = there.command("settle", {"request": request, "refused": True, "keep": left})
        for name in answer.get("lost", ()):
            del self.shell.user_ns[name]
            where = f"{name} was left on {self.target.name}"
            self.watcher.say(f"{where}, and the cell that failed had changed it: it is lost")

    def _start_afresh_quietly(self, there: There) -> None:
        try:
            self._start_afresh(there)
        except (NbdagError, KeyboardInterrupt):
            self.close()
