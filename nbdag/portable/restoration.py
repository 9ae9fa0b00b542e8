"""One restoration: the plan's steps in their order, and what becomes of every name.

A step that fails costs its own names and what depends on them; the rest still comes back. Nothing that may be wrong is
left in place.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from nbdag.portable.bundlefile import read_fallbacks
from nbdag.portable.decode import Loading
from nbdag.portable.directories import current_directory
from nbdag.portable.environment import file_problem
from nbdag.portable.open_figures import pyplot_managers, settle_figures
from nbdag.portable.places import BundlePlace
from nbdag.portable.process_state import apply
from nbdag.portable.progress_line import ProgressLine
from nbdag.portable.randomness import set_state
from nbdag.portable.replaying import Replayer, fault_in_words, traceback_text
from nbdag.portable.steps import Load, Replay, names_reached
from nbdag.portable.telling import bytes_needed, shortened, size_of_group, size_text

BYTES_PER_SECOND = 2e8  # of pickles, measured; only for the progress line


class Restoration:
    """One restoration into one namespace, and what has become of each name."""

    def __init__(self, namespace: Dict[str, Any], place: BundlePlace, data: Dict[str, Any], options: Any) -> None:
        self.namespace = namespace
        self.place = place
        self.data = data
        self.options = options
        self.loaded: List[str] = []
        self.replayed: List[str] = []
        self.lost: Dict[str, str] = {}
        self.instead: Dict[str, str] = {}  # replayed because loading failed: name -> why
        self.fallback_steps: List[Replay] = []
        self.fallback_states: List[Any] = []
        self.notes: List[str] = []
        self.loaded_bytes = 0
        self.steps: Sequence[Any] = ()
        self.started_in = current_directory()
        self.replayer: Optional[Any] = None  # only once code is run
        self.tracebacks: List[str] = []

    def run(self, steps: Sequence[Any], dropped: Sequence[str]) -> None:
        """Run the plan, then set the state of the process. What an interrupt leaves undone is not there at all."""
        before = dict(self.namespace)
        loading = Loading(self.place, self.namespace, self.options.eager)
        self.steps = steps
        if any(isinstance(step, Replay) for step in steps):
            self._replayer()
        changes = self.data.get("process_state") or {}
        if self.options.only:  # the code and the classes of what is asked for, and nothing else
            changes = {"modules": changes["modules"]} if "modules" in changes else {}
        figures = pyplot_managers() if "pyplot" in changes else {}
        self.notes += apply(changes, phase="before") if changes else []
        line = ProgressLine(sum(self._expected_seconds(step) for step in steps), len(steps))
        done = 0
        try:
            for step in steps:
                self._say_what_is_done(line, step)
                if isinstance(step, Load):
                    self._load(step, loading)
                elif self.options.no_replay:
                    self._lose(step.names, "not replayed (--no-replay)")
                else:
                    self._replay(step)
                line.end_of(self._expected_seconds(step))
                done += 1
        except KeyboardInterrupt:  # what a step was still to make, or to change, is not there yet
            self._lose([name for step in steps[done:] for name in step.names], "interrupted")
            self._tidy(before, steps, dropped)
            raise
        finally:
            line.end()
        self._tidy(before, steps, dropped)
        if loading.eager_bytes:
            self.notes.append("read %s into private memory%s" % (size_text(loading.eager_bytes), loading.page_words()))
        if self.options.verify:
            self.notes.append("every byte of the bundle is what it was when it was written")
        if not self.options.only:
            self.notes += apply(changes, phase="after") if changes else []
            if "pyplot" in changes:
                missing = settle_figures(self.namespace, figures, changes["pyplot"], changes.get("figures") or {})
                self.notes += [missing] if missing else []
            failed = set_state(self.data.get("random_states") or {})
            self.notes += ["the random generator of %s could not be set" % name for name in failed]

    def _expected_seconds(self, step: Any) -> float:
        """About how long a step takes: what it took in the session, or what its bytes take."""
        if isinstance(step, Load):
            private, mapped = bytes_needed(self.data, [step.group], self.options.eager)
            return private / BYTES_PER_SECOND + mapped / (100 * BYTES_PER_SECOND)
        return 0.0 if self.options.no_replay else step.seconds

    def _say_what_is_done(self, line: ProgressLine, step: Any) -> None:
        doing = "loading " + shortened(step.names)
        if isinstance(step, Replay):
            took = ", which took %.3g s in the session" % step.seconds if step.seconds >= 1 else ""
            doing = "replaying %s, line %d%s" % (step.cell, step.line, took)
        line.begin(doing, self._expected_seconds(step))

    def _replayer(self) -> Any:
        """What runs code in the namespace."""
        if self.replayer is None:
            self.replayer = Replayer(self.namespace, self.steps, self.place.folder(), self.started_in)
        return self.replayer

    @property
    def output(self) -> Sequence[Any]:
        """What replayed cells printed: (cell, text)."""
        return self.replayer.output if self.replayer is not None else ()

    def _load(self, step: Load, loading: Loading) -> None:
        group = self.data["groups"][step.group]
        missing = sorted(self.lost.keys() & set(group.get("needs", ())))
        if missing:
            self._lose(step.names, "needs %s, which is lost" % ", ".join(missing))
            return
        try:
            values = loading.load(group)
        except Exception as error:
            text = str(error).strip().split("\n")[0][:300]
            why = type(error).__name__ + (text and ": " + text)
            loading.take_notes()
            failed = self._fall_back(step, group, why)
            if failed:
                self._lose(step.names, "cannot be loaded here: %s; %s" % (why, failed))
            return
        for name in step.names:
            if name in values:
                self._gain(name, values[name], self.loaded)
        self.notes += ["%s: %s" % (", ".join(step.names), note) for note in loading.take_notes()]
        self.loaded_bytes += size_of_group(group)

    def _fall_back(self, step: Load, group: Dict[str, Any], why: str) -> str:
        """Make by replay what could not be loaded, and leave all other names as they are; why not, "" if it is made."""
        if self.options.no_replay:
            return "not replayed (--no-replay)"
        if "fallback" not in group:
            return "not replayed: %s" % group.get("no_fallback", "the bundle has no statements for that")
        if not self.fallback_steps and any(number >= 0 for number, _ in group["fallback"]):
            found = read_fallbacks(self.place, self.data)
            self.fallback_steps = [Replay(**fields) for fields in found["steps"]]
            self.fallback_states = found["states"]
            self._replayer().add(self.fallback_steps)
        before = dict(self.namespace)
        failed = ""
        for number, put_back in group["fallback"]:
            self.namespace.update((name, before[name]) for name in put_back if name in before)
            if number < 0:
                continue
            part = self.fallback_steps[number]
            for path, absolute, size, digest in part.files:
                failed = failed or file_problem(path, absolute, size, digest, part.cwd, self.place.folder())
            failed = failed or self._attempt(part, self.fallback_states)
            if failed:
                break
        made = {name: self.namespace[name] for name in step.names if name in self.namespace}
        if not failed and len(made) < len(step.names):
            failed = "its statements did not make it"
        for name in [name for name in self.namespace if name not in before]:
            del self.namespace[name]
        self.namespace.update(before)
        if failed:
            return "replaying it failed: " + failed
        doubt = group.get("doubt")
        for name, value in made.items():
            self._gain(name, value, self.replayed)
            self.instead[name] = why + (", and may differ: " + doubt if doubt else "")
        return ""

    def _attempt(self, step: Replay, states: List[Any]) -> str:
        """Run one step; what went wrong, "" if nothing did."""
        if self.lost:
            missing = sorted(self.lost.keys() & names_reached(step.code, self.namespace))
            if missing:
                return "%s needs %s, which is lost" % (step.cell, ", ".join(missing))
        if step.random_state is not None:
            set_state(states[step.random_state])
        replayer = self._replayer()
        try:
            replayer.run(step)
        except (Exception, SystemExit) as error:
            if not step.may_fail:
                self.tracebacks += traceback_text(error) if self.options.verbose else []
                return fault_in_words(error, step, replayer.filenames[id(step)])
        return ""

    def _replay(self, step: Replay) -> None:
        failed = self._attempt(step, self.data["replay_states"])
        if failed:
            self._lose(step.names, failed)
            return
        for name in step.names:
            if name in self.namespace:
                self._gain(name, self.namespace[name], self.replayed)
            else:
                self.lost.pop(name, None)

    def _gain(self, name: str, value: Any, where: List[str]) -> None:
        self.namespace[name] = value
        self.lost.pop(name, None)
        for names in (self.loaded, self.replayed):
            if name in names:
                names.remove(name)
        where.append(name)

    def _lose(self, names: Sequence[str], reason: str) -> None:
        for name in names:
            self.lost[name] = reason
            self.instead.pop(name, None)
            for kept in (self.loaded, self.replayed):
                if name in kept:
                    kept.remove(name)

    def _tidy(self, before: Dict[str, Any], steps: Sequence[Any], dropped: Sequence[str]) -> None:
        """Remove what the session did not have and what may be wrong; give back what was here and is not restored."""
        restored = set(self.loaded) | set(self.replayed)
        for name in dropped:
            restored.discard(name)
            self.lost.pop(name, None)
            self.namespace.pop(name, None)
            for kept in (self.loaded, self.replayed):
                if name in kept:
                    kept.remove(name)
        for name in self.lost:
            self.namespace.pop(name, None)
        for name, value in before.items():
            if name not in restored and self.namespace.get(name, self) is not value:
                self.namespace[name] = value
