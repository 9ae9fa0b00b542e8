"""Rebuilds a session from a bundle: ``python restore.py``.

Checks first, all problems at once; then the plan in order, the state of the process, and the random generators last.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Callable, Dict, Optional, Sequence

from nbdag.portable.arguments import parse_arguments
from nbdag.portable.bundlefile import BundleDamaged, open_place, read_data
from nbdag.portable.checking import examine
from nbdag.portable.history import Arrival, continue_history
from nbdag.portable.journal import notes_since, remember_restored
from nbdag.portable.outcomes import (
    EXIT_COMPLETE,
    EXIT_ENVIRONMENT,
    EXIT_INTEGRITY,
    EXIT_INTERRUPTED,
    EXIT_PARTIAL,
    EXIT_USAGE,
    Options,
)
from nbdag.portable.parts import source_of_parts
from nbdag.portable.restoration import Restoration
from nbdag.portable.serving import install_kernel, serve_kernel
from nbdag.portable.showing import show_plan
from nbdag.portable.steps import Replay, ready_first, select_steps
from nbdag.portable.telling import print_document, report, say, shortened


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
    options: Any = Options
    place: Any = os.path.dirname(os.path.abspath(script))
    restoration: Optional[Restoration] = None
    if sys.version_info < (3, 8):
        return refuse(
            EXIT_ENVIRONMENT, ["Python 3.8 or later is needed, this is %d.%d" % sys.version_info[:2]], options
        )
    try:
        place = open_place(script)
        script = place.path if place.is_archive else script
        if arguments is None:
            arguments = sys.argv[1:] if sys.argv and is_same_file(sys.argv[0], script) else []
        if arguments:
            options = parse_arguments(arguments)
            if isinstance(options, int):
                return options
            if options.source:
                put_on_stdout(lambda: print(source_of_parts(), end=""))
                return EXIT_COMPLETE
        data = read_data(place, digest)
        steps = wanted_steps(plan, dropped, data, options)
        if isinstance(steps, str):
            return refuse(EXIT_USAGE, [steps], options)
        findings = examine(place, data, steps, options)
        if options.list or options.dry_run:
            put_on_stdout(lambda: show_plan(steps, data, findings, options))
        if findings.damage or (findings.problems and not options.force and not options.list):
            return refuse_here(place, findings, options)
        if options.list or options.dry_run:
            return EXIT_COMPLETE
        if findings.problems:
            say("\n  ".join(["this environment lacks what the session needs:", *findings.problems]))
        if options.kernel or options.install_kernel:
            return give_to_jupyter(script, data, options)
        restoration = Restoration(namespace, place, data, options)
        restoration.notes += findings.notes
        arrival = Arrival(namespace) if data.get("history") else None
        restoration.run(ready_first(steps, data["groups"]), dropped)
        restoration.notes += findings.hints if restoration.lost or restoration.instead else []
        if arrival is not None and not options.only:
            codes = [step.code for step in steps if isinstance(step, Replay)]
            restoration.notes += continue_history(arrival, place, data, sorted(restoration.instead), codes)
        saved = (data.get("provenance") or {}).get("save")
        if saved:
            restoration.notes += notes_since(saved, place.path)
            remember_restored(saved, None if restoration.lost else running_ipython())
    except BundleDamaged as error:
        return refuse(EXIT_INTEGRITY, ["%s: %s" % (place, error)], options)
    except KeyboardInterrupt:
        there = restoration.loaded + restoration.replayed if restoration is not None else []
        said = "; there are %s" % shortened(there) if there else "; nothing was restored"
        return refuse(EXIT_INTERRUPTED, ["interrupted: the session is incomplete" + said], options)
    took = time.perf_counter() - started
    finished = restoration
    put_on_stdout(lambda: report(finished, took, data, options))
    return EXIT_PARTIAL if restoration.lost else EXIT_COMPLETE


def wanted_steps(plan: Sequence[Any], dropped: Sequence[str], data: Dict[str, Any], options: Any) -> Any:
    """The steps to run; in words what is wrong with the names that were asked for."""
    if not options.only:
        return list(plan)
    wanted = {name for word in options.only for name in word.split(",") if name}
    unknown = sorted(wanted - ({name for step in plan for name in step.names} - set(dropped)))
    if unknown:
        return "the bundle has no %s (--list shows what it has)" % ", ".join(unknown)
    return select_steps(plan, data["groups"], wanted)


def refuse_here(place: Any, findings: Any, options: Any) -> int:
    """Say all that stands against restoring here; the exit status."""
    said = ["%s: %s" % (place, "\n  ".join(findings.damage))] if findings.damage else []
    if findings.problems:
        said.append("\n  ".join(["this environment lacks what the session needs:", *findings.problems]))
        forced = "" if findings.damage else "; --force restores what can be restored all the same"
        said += [] if options.dry_run or options.list else ["nothing was restored" + forced]
    return refuse(EXIT_INTEGRITY if findings.damage else EXIT_ENVIRONMENT, said, options)


def refuse(status: int, said: Sequence[str], options: Any) -> int:
    """Say why nothing, or not all, was restored: on stderr, and as JSON where that was asked for."""
    for text in said:
        say(text)
    if options.json and not options.list and not options.dry_run:
        document = {"format": "nbdag-restoration", "version": 1, "status": status, "problems": list(said)}
        put_on_stdout(lambda: print_document(document))
    return status


def put_on_stdout(write: Callable[[], None]) -> None:
    """Pass on what ``write`` prints. A stdout that knows few letters gets escapes; one that is full or gone costs
    nothing else."""
    import io

    printed = io.StringIO()
    stream: Any = sys.stdout
    sys.stdout = printed
    try:
        write()
    finally:
        sys.stdout = stream
    if stream is None or not printed.getvalue():
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        stream.write(printed.getvalue().encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError) as error:  # head has seen enough, the disk is full, it was closed
        if not isinstance(error, BrokenPipeError):
            say("stdout cannot be written: %s" % error)
        if sys.__stdout__ is not None and stream is sys.__stdout__ and not sys.__stdout__.closed:
            nowhere = os.open(os.devnull, os.O_WRONLY)  # or the end of Python would try again
            os.dup2(nowhere, sys.__stdout__.fileno())
            os.close(nowhere)


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


def leave(status: int, namespace: Dict[str, Any]) -> None:
    """End with ``status`` where a script was run; return to the prompt where there is one."""
    interactive = sys.flags.inspect or sys.flags.interactive or running_ipython() is not None
    main: Any = sys.modules.get("__main__")
    if status and not interactive and namespace is getattr(main, "__dict__", None):
        raise SystemExit(status)


def running_ipython() -> Any:
    """The shell of this process if it is a notebook's kernel or an IPython prompt; None if it only imported IPython."""
    ipython: Any = sys.modules.get("IPython")
    return getattr(ipython, "get_ipython", lambda: None)() if ipython is not None else None


def is_same_file(one: str, other: str) -> bool:
    """Whether two paths lead to one file; a directory leads to the ``__main__.py`` that Python runs in it."""
    try:
        one = os.path.join(one, "__main__.py") if os.path.isdir(one) else one
        return os.path.samefile(one, other)
    except OSError:
        return False
