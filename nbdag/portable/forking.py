"""A frozen copy of the running kernel that another process may look at for as long as it likes.

    kernel --fork--> snapshot --starts--> saver
      goes on          |  <-- commands --  |     the agent's own commands, as lines of JSON
                       |  -- answers --->  |
                      ends                ends

The copy shares the session's memory until one of the two writes to it. It never returns to the kernel's loop, has no
part in its connections, and ends without any of the session's exit handlers. It is in a session of its own, so that it
brings its save to an end when the kernel is ended meanwhile; where memory runs out, it goes first.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import stat
import sys
import time
import traceback
import warnings
from typing import Any, Callable, Dict, List, Tuple

from nbdag.portable.randomness import get_states, set_state

SNAPSHOT_SECONDS = 3600  # after which a snapshot is ended, whatever it does
SAVER_SOCKET = 3  # the descriptor under which the saver finds the snapshot
DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/render")

Answer = Callable[[str, Dict[str, Any]], Dict[str, Any]]


def why_not_fork() -> str:
    """Why this process must not be forked, "" if it may be."""
    if not sys.platform.startswith("linux"):
        return "a process of %s cannot be copied safely" % sys.platform
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return "/proc is not there"
    for descriptor in descriptors:
        try:
            path = os.readlink("/proc/self/fd/" + descriptor)
        except OSError:
            continue
        if path.startswith(DEVICES):
            return "the session works on a GPU, and a copy of the process could not use it"
    return ""


def page_table_bytes() -> int:
    """What a fork has to copy of this process; 0 where nobody says."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmPTE:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


def take_snapshot(saver: List[str], hello: Dict[str, Any], answer: Answer) -> Tuple[int, int, float]:
    """Fork. The copy starts the program ``saver``, says ``hello`` to it and answers its commands until it is done.

    Returns ``(pid, descriptor, seconds)``: the copy, a pipe that ends with it and on which the saver's result comes as
    a line of JSON, and how long the session stood still. Raises OSError.
    """
    import posix

    states = get_states()  # Python gives the random module of a forked process a new seed
    reading, writing = os.pipe()
    quiet = ("ignore", None, Warning, None, 0)  # Python 3.12 and libraries warn that the copy lacks their threads
    began = time.perf_counter()
    warnings.filters.insert(0, quiet)  # type: ignore[attr-defined]
    try:
        pid = posix.fork()  # not os.fork: a debugger replaces that and would follow
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    finally:
        if warnings.filters and warnings.filters[0] is quiet:
            del warnings.filters[0]  # type: ignore[attr-defined]
    if pid:
        seconds = time.perf_counter() - began
        os.close(writing)
        return pid, reading, seconds
    try:
        os.close(reading)
        live_as_copy(saver, hello, answer, states, writing)
    except BaseException as fault:
        tell(writing, {"error": "%s: %s" % (type(fault).__name__, fault), "traceback": traceback.format_exc()})
    finally:
        os._exit(0)


def live_as_copy(
    saver: List[str], hello: Dict[str, Any], answer: Answer, states: Dict[str, bytes], writing: int
) -> None:
    """What the copy does."""
    settle_down(writing)
    set_state(states)
    mine, theirs = socket.socketpair()
    start_saver(saver, theirs)
    theirs.close()
    result: Dict[str, Any] = {"error": "the saver ended before it was done"}
    try:
        mine.sendall((json.dumps(hello) + "\n").encode("utf-8"))
        for line in mine.makefile("rb"):
            request = json.loads(line.decode("utf-8"))
            if "result" in request:
                result = request["result"]
                break
            said = answer(request["name"], request["arguments"])
            mine.sendall((json.dumps(said) + "\n").encode("utf-8"))
    except ConnectionError:
        pass
    tell(writing, result)


def settle_down(*mine: int) -> None:
    """Let go of everything that is the kernel's, and stand behind whoever else wants processor or memory."""
    signal.alarm(SNAPSHOT_SECONDS)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    try:
        os.nice(10)
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("1000")
    except OSError:
        pass
    gc.disable()  # a collection would write to every object, and so copy its page
    gc.freeze()
    close_sockets(*mine)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = os.fdopen(nowhere, "w", encoding="utf-8")


def close_sockets(*mine: int) -> None:
    """Close every socket: a copy that holds the kernel's ports would keep its next life from listening there."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            if descriptor not in mine and stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)
        except OSError:
            continue


def start_saver(command: List[str], connection: socket.socket) -> int:
    """Start the saver with the socket as its descriptor 3, and in no environment that the session may have bent."""
    import posix

    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    # A descriptor that is 3 already would keep its flag and be closed by the new program.
    held = [os.dup(connection.fileno())]
    while held[-1] <= SAVER_SOCKET:
        held.append(os.dup(connection.fileno()))
    try:
        return posix.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[(posix.POSIX_SPAWN_DUP2, held[-1], SAVER_SOCKET)],
            setsigdef=[signal.SIGINT, signal.SIGALRM],
        )
    finally:
        for descriptor in held:  # or the end of the saver would go unnoticed
            os.close(descriptor)


def tell(writing: int, result: Dict[str, Any]) -> None:
    """Give the kernel the result; it may have ended."""
    try:
        os.write(writing, (json.dumps(result) + "\n").encode("utf-8")[:60_000])
    except OSError:
        pass
