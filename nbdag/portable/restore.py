"""Rebuilds a session from a bundle: ``python restore.py``.

Checks first, then the plan in order, then the state of the process, and the random generators last. A step that fails
costs its own names and what depends on them; the rest still comes back. Nothing that may be wrong is left in place.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Dict, List, Optional, Sequence

from nbdag.portable.bundlefile import BundleDamaged, check_blobs, read_data, read_fallbacks
from nbdag.portable.decode import Loading
from nbdag.portable.environment import environment_problems, file_problem
from nbdag.portable.process_state import apply
from nbdag.portable.randomness import set_state
from nbdag.portable.replaying import Replayer, fault_in_words
from nbdag.portable.serving import announce, install_kernel, lacks_ipykernel, serve_kernel
from nbdag.portable.steps import Load, Replay, names_reached, select_steps

EXIT_COMPLETE, EXIT_PARTIAL, EXIT_USAGE, EXIT_ENVIRONMENT, EXIT_INTEGRITY, EXIT_INTERRUPTED = 0, 1, 2, 4, 5, 130


class Options:
    """How to restore; these are the defaults."""

    only: Sequence[str] = ()
    dry_run = False
    list = False
    json = False
    no_replay = False
    force = False
    eager = False
    verify = False
    verbose = False
    kernel = False
    install_kernel = ""


class Restoration:
    """One restoration into one namespace, and what has become of each name."""

    def __init__(self, namespace: Dict[str, Any], directory: str, data: Dict[str, Any], options: Any) -> None:
        self.namespace = namespace
        self.directory = directory
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
        self.output: List[Any] = []

    def run(self, steps: Sequence[Any], dropped: Sequence[str]) -> None:
        """Run the plan, then set the state of the process."""
        before = dict(self.namespace)
        loading = Loading(self.directory, self.namespace, self.options.eager)
        replayer = Replayer(self.namespace, steps, self.directory)
        difference = self.data.get("process_state") or {}
        if self.options.only:  # the code and the classes of what is asked for, and nothing else
            difference = {"modules": difference["modules"]} if "modules" in difference else {}
        self.notes += apply(difference, phase="before")
        for step in steps:
            if isinstance(step, Load):
                self._load(step, loading, replayer)
            elif self.options.no_replay:
                self._lose(step.names, "not replayed (--no-replay)")
            else:
                self._replay(step, replayer)
        self.output = replayer.output
        self._tidy(before, steps, dropped)
        if not self.options.only:
            self.notes += apply(difference, phase="after")
            failed = set_state(self.data.get("random_states") or {})
            self.notes += ["the random generator of %s could not be set" % name for name in failed]

    def _load(self, step: Load, loading: Loading, replayer: Replayer) -> None:
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
            failed = self._fall_back(step, group, why, replayer)
            if failed:
                self._lose(step.names, "cannot be loaded here: %s; %s" % (why, failed))
            return
        for name in step.names:
            if name in values:
                self._gain(name, values[name], self.loaded)
        self.loaded_bytes += size_of_group(group)

    def _fall_back(self, step: Load, group: Dict[str, Any], why: str, replayer: Replayer) -> str:
        """Make by replay what could not be loaded, and leave all other names as they are; why not, "" if it is made."""
        if self.options.no_replay:
            return "not replayed (--no-replay)"
        if "fallback" not in group:
            return "not replayed: %s" % group.get("no_fallback", "the bundle has no statements for that")
        if not self.fallback_steps and group["fallback"]:
            found = read_fallbacks(self.directory, self.data)
            self.fallback_steps = [Replay(**fields) for fields in found["steps"]]
            self.fallback_states = found["states"]
            replayer.add(self.fallback_steps)
        before = dict(self.namespace)
        failed = ""
        for number, put_back in group["fallback"]:
            self.namespace.update((name, before[name]) for name in put_back if name in before)
            if number < 0:
                continue
            part = self.fallback_steps[number]
            for path, absolute, size, digest in part.files:
                failed = failed or file_problem(path, absolute, size, digest, part.cwd, self.directory)
            failed = failed or self._attempt(part, replayer, self.fallback_states)
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

    def _attempt(self, step: Replay, replayer: Replayer, states: List[Any]) -> str:
        """Run one step; what went wrong, "" if nothing did."""
        if self.lost:
            missing = sorted(self.lost.keys() & names_reached(step.code, self.namespace))
            if missing:
                return "%s needs %s, which is lost" % (step.cell, ", ".join(missing))
        if step.random_state is not None:
            set_state(states[step.random_state])
        try:
            replayer.run(step)
        except (Exception, SystemExit) as error:
            if not step.may_fail:
                return fault_in_words(error, step, replayer.filenames[id(step)])
        return ""

    def _replay(self, step: Replay, replayer: Replayer) -> None:
        failed = self._attempt(step, replayer, self.data["replay_states"])
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

    def summary(self, seconds: float, title: str) -> List[str]:
        """The table for people."""
        total = len(self.loaded) + len(self.replayed) + len(self.lost)
        restored = total - len(self.lost)
        lines = ["restored %d of %d variables%s in %.2f s" % (restored, total, title, seconds)]
        if self.loaded:
            lines.append(
                "  loaded   %4d  %s (%s)" % (len(self.loaded), shortened(self.loaded), size_text(self.loaded_bytes))
            )
        if self.replayed:
            lines.append("  replayed %4d  %s" % (len(self.replayed), shortened(self.replayed)))
        if self.lost:
            lines.append("  lost     %4d" % len(self.lost))
        said = [(name, reason) for name, reason in self.lost.items()]
        said += [(name, "replayed (could not be loaded: %s)" % self.instead[name]) for name in sorted(self.instead)]
        by_reason: Dict[str, List[str]] = {}
        for name, reason in said:
            by_reason.setdefault(reason, []).append(name)
        for reason, names in by_reason.items():
            lines.append("    %s: %s" % (shortened(names), reason))
        lines += ["  note: " + note for note in self.notes]
        return lines


def restore_session(
    namespace: Dict[str, Any],
    script: str,
    digest: str,
    plan: Sequence[Any],
    dropped: Sequence[str] = (),
    arguments: Optional[Sequence[str]] = None,
) -> int:
    """Restore the bundle beside ``script`` into ``namespace``; returns the exit status."""
    started = time.perf_counter()
    directory = os.path.dirname(os.path.abspath(script))
    options: Any = Options
    if arguments is None:
        arguments = sys.argv[1:] if sys.argv and is_same_file(sys.argv[0], script) else []
    if arguments:
        from_line = parse_arguments(arguments)
        if isinstance(from_line, int):
            return from_line
        options = from_line
    if sys.version_info < (3, 8):
        say("Python 3.8 or later is needed, this is %d.%d" % sys.version_info[:2])
        return EXIT_ENVIRONMENT
    try:
        data = read_data(directory, digest)
        steps = list(plan)
        known = {name for step in steps for name in step.names} - set(dropped)
        if options.only:
            unknown = sorted(set(options.only) - known)
            if unknown:
                say("the bundle has no %s (--list shows what it has)" % ", ".join(unknown))
                return EXIT_USAGE
            steps = select_steps(steps, data["groups"], set(options.only))
        check_blobs(directory, data, [step.group for step in steps if isinstance(step, Load)], options.verify)
        if options.list or options.dry_run:
            show_plan(steps, data, options)
            return EXIT_COMPLETE
        replays = [] if options.no_replay else [step for step in steps if isinstance(step, Replay)]
        requirements = [] if options.only or options.no_replay else data.get("requirements", [])
        problems, notes = environment_problems(replays, data["groups"], requirements, directory)
        if (options.kernel or options.install_kernel) and lacks_ipykernel():
            problems.append("ipykernel, which runs kernels, is not installed: pip install ipykernel")
        if problems:
            say("\n  ".join(["this environment lacks what the session needs:", *problems]))
            if not options.force:
                say("nothing was restored; --force restores what can be restored all the same")
                return EXIT_ENVIRONMENT
        if options.kernel or options.install_kernel:
            return give_to_jupyter(script, data, options)
        restoration = Restoration(namespace, directory, data, options)
        restoration.notes += notes
        withheld = (data.get("provenance") or {}).get("withheld")
        if withheld:
            restoration.notes.append("left behind when it was compiled, as what looks like credentials: %s" % withheld)
        restoration.run(steps, helpers_of(options, steps, dropped))
    except BundleDamaged as error:
        say("%s: %s" % (directory, error))
        return EXIT_INTEGRITY
    except KeyboardInterrupt:
        say("interrupted: the session is incomplete")
        return EXIT_INTERRUPTED
    report(restoration, time.perf_counter() - started, data, options)
    return EXIT_PARTIAL if restoration.lost else EXIT_COMPLETE


def give_to_jupyter(script: str, data: Dict[str, Any], options: Any) -> int:
    """``--install-kernel`` and ``--kernel``: the session in a kernel; the exit status."""
    if options.install_kernel:
        notebook = str((data.get("provenance") or {}).get("notebook") or "session")
        try:
            where = install_kernel(options.install_kernel, script, "%s (restored)" % notebook)
        except (ValueError, OSError) as error:
            say(str(error))
            return EXIT_USAGE
        say("installed the kernel %s in %s; choose it in JupyterLab" % (options.install_kernel, where))
    return serve_kernel(script) if options.kernel else EXIT_COMPLETE


def helpers_of(options: Any, steps: Sequence[Any], dropped: Sequence[str]) -> List[str]:
    """Names to remove at the end."""
    return list(dropped)


def report(restoration: Restoration, seconds: float, data: Dict[str, Any], options: Any) -> None:
    """The summary on stderr, or JSON on stdout."""
    if options.json:
        import json

        status = EXIT_PARTIAL if restoration.lost else EXIT_COMPLETE
        document = {
            "format": "nbdag-restoration",
            "version": 1,
            "status": status,
            "loaded": restoration.loaded,
            "replayed": restoration.replayed,
            "lost": restoration.lost,
            "instead": restoration.instead,
            "notes": restoration.notes,
            "seconds": round(seconds, 6),
        }
        print(json.dumps(document, indent=2))
        return
    notebook = (data.get("provenance") or {}).get("notebook") or ""
    lines = restoration.summary(seconds, " of " + str(notebook) if notebook else "")
    say("\n".join(lines))
    if options.verbose:
        for cell, text in restoration.output:
            say("output of %s:\n%s" % (cell, text.rstrip("\n")))


def show_plan(steps: Sequence[Any], data: Dict[str, Any], options: Any) -> None:
    """What the bundle holds (``--list``) or what would be done (``--dry-run``), on stdout."""
    for step in steps:
        names = ", ".join(step.names)
        if isinstance(step, Load):
            print("load    %s (%s)" % (names, size_text(size_of_group(data["groups"][step.group]))))
        else:
            print("replay  %s, line %d%s" % (step.cell, step.line, ": " + names if names else ""))
            if options.dry_run:
                print("\n".join("        | " + line for line in step.code.split("\n")))


def parse_arguments(arguments: Sequence[str]) -> Any:
    """The options, or the exit status of a command line that asks for help or is wrong."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="restore.py",
        description="Rebuild the session of a notebook. Its variables land in __main__: run "
        "`python -i restore.py`, or `%run -i restore.py` in a notebook.",
        epilog="exit status: 0 complete, 1 something is lost, 2 usage, 4 the environment lacks something, 5 damaged",
    )
    flag: Any = {"action": "store_true"}
    parser.add_argument("--only", metavar="NAME", nargs="+", default=(), help="only these variables and what they need")
    parser.add_argument("--list", help="show what the bundle holds and end", **flag)
    parser.add_argument("--dry-run", help="check everything, show what would run, and end", **flag)
    parser.add_argument("--no-replay", help="load what is stored and run no code of the notebook", **flag)
    parser.add_argument("--force", help="go on where packages or files are missing", **flag)
    parser.add_argument("--eager", help="read large data at once instead of when it is used", **flag)
    parser.add_argument("--verify", help="compare the digest of every byte first", **flag)
    parser.add_argument("--kernel", help="start a Jupyter kernel that holds the session", **flag)
    parser.add_argument(
        "--install-kernel", metavar="NAME", default="", help="let JupyterLab start kernels that hold the session"
    )
    parser.add_argument("--json", help="the result as JSON on stdout", **flag)
    parser.add_argument("--verbose", help="show what the replayed code printed", **flag)
    try:
        return parser.parse_args(list(arguments))
    except SystemExit as end:
        return EXIT_COMPLETE if not end.code else EXIT_USAGE


def leave(status: int, namespace: Dict[str, Any]) -> None:
    """End with ``status`` where a script was run; return to the prompt where there is one."""
    interactive = sys.flags.inspect or sys.flags.interactive or running_ipython()
    main: Any = sys.modules.get("__main__")
    if status and not interactive and namespace is getattr(main, "__dict__", None):
        raise SystemExit(status)


def running_ipython() -> bool:
    """Whether this process is a notebook's kernel or an IPython prompt (and has not merely imported IPython)."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython, "get_ipython", lambda: None)() is not None


def is_same_file(one: str, other: str) -> bool:
    """Whether two paths lead to one file."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def say(text: str) -> None:
    """One message on stderr; in a kernel that still starts, with its first cell as well."""
    announce("nbdag: " + text)
    if sys.stderr is not None:
        sys.stderr.write("nbdag: " + text + "\n")
        sys.stderr.flush()


def size_of_group(group: Dict[str, Any]) -> int:
    """The stored bytes of a group."""
    parts = [group["head"], *group["regions"]]
    return sum(len(part) if isinstance(part, bytes) else part["size"] for part in parts)


def size_text(size: float) -> str:
    """``12.4 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return ("%d %s" if unit == "bytes" else "%.1f %s") % (size, unit)
        size /= 1000
    return ""


def shortened(names: Sequence[str]) -> str:
    """The first names of many."""
    return ", ".join(names[:8]) + (" and %d more" % (len(names) - 8) if len(names) > 8 else "")
