"""What a statement asked the operating system for: files, sockets, processes, through Python's audit events.

Python cannot remove an audit hook. There is one for the life of the process, however often the agent is sent in: it
looks up what is active in a holder under ``sys`` and returns at once when nothing is. Files that C++ code opens
(Parquet readers) raise no event; on Linux they show as bytes read that no opened file explains. So do
bytes of a file that an earlier statement opened, as far as its position moved. Where text was drawn nothing is
concluded: matplotlib reads its fonts over and over, 40 MB for a bar chart.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import site
import sys
import sysconfig
import threading
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Optional, Set, Tuple

from nbdag.portable.namespace import word_set

HOOK_HOLDER = "_nbdag_audit_holder"  # attribute of sys: survives a second injection of the agent
DIGEST_LIMIT = 16 * 1024 * 1024  # bytes: larger files are known by their size only
UNEXPLAINED_LIMIT = 64 * 1024  # bytes read without an event before it counts: small reads are pipes and /proc
IMPORTING_LIMIT = 8 * 1024 * 1024  # the same where libraries were loaded: their C code reads more than it opens
OPENED_LIMIT = 1000  # files remembered
NETWORK_EVENTS = word_set(
    "socket.connect socket.getaddrinfo socket.gethostbyname socket.sendto urllib.Request http.client.connect "
    "ftplib.connect smtplib.connect imaplib.open poplib.connect telnetlib.Telnet.open"
)
PROCESS_EVENTS = word_set(
    "subprocess.Popen os.system os.exec os.posix_spawn os.spawn os.fork os.forkpty pty.spawn os.startfile "
    "os.startfile/2"
)
WRITE_EVENTS = word_set(
    "os.mkdir os.rename os.remove os.rmdir os.truncate os.link os.symlink shutil.rmtree shutil.move shutil.copyfile "
    "shutil.copytree shutil.make_archive shutil.unpack_archive"
)
HEARD_EVENTS = NETWORK_EVENTS | PROCESS_EVENTS | WRITE_EVENTS | {"open", "sqlite3.connect"}
# Endings of files that belong to libraries and not to the session's data. Not .pth: torch.load("model.pth").
LIBRARY_ENDINGS = (".pyc", ".pyo", ".pyd", ".so", ".dll", ".dylib", ".ttf", ".otf", ".afm", ".mplstyle")
SYSTEM_PREFIXES = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/lib/", "/usr/share/", "/lib/", "/run/")
PRIVATE_PARTS = ("/.cache/", "/.ipython/", "/.jupyter/", "/.matplotlib/", "/matplotlib/fontlist-", "/ipykernel_")
PRIVATE_PARTS_ALWAYS = ("/__pycache__/", "/site-packages/", "/dist-packages/")

Heard = Tuple[str, Tuple[Any, ...]]
LIBRARY_READ = "library"  # heard instead of "open" where the file's name says all that there is to know


def install_hook() -> List[Any]:
    """The holder of the process's one audit hook, which is installed if this is the first call; ``holder[0]`` hears."""
    holder: Optional[List[Any]] = getattr(sys, HOOK_HOLDER, None)
    if holder is not None:
        return holder
    holder = [None]

    def nbdag_audit_hook(
        event: str,
        arguments: Tuple[Any, ...],
        holder: List[Any] = holder,
        heard: FrozenSet[str] = HEARD_EVENTS,
    ) -> None:
        if event in heard:  # first of all: `id` is an event, too
            hear = holder[0]
            if hear is not None:
                hear(event, arguments)

    sys.addaudithook(nbdag_audit_hook)
    setattr(sys, HOOK_HOLDER, holder)
    return holder


class Listener:
    """Collects the events of interest while it is on. Statements nest: each takes what was heard since its mark."""

    def __init__(self) -> None:
        self.holder = install_hook()
        self.heard: List[Heard] = []
        self.muted: Set[int] = set()  # threads whose own work is not the session's
        self.ours: Callable[[str, Tuple[Any, ...]], None] = self.hear  # one bound method, comparable by identity
        self.library_prefixes = library_prefixes()
        self.own_reads = 0  # bytes that digesting read
        self.stood = 0  # what the process had read at the last question, those left out
        self.counter = ReadCounter()
        self.opened: Set[str] = set()  # files of the session that were heard of; whoever holds one may read on
        self.positions: Dict[str, int] = {}  # descriptor and path of such a file -> where it stood at the last question
        self.fonts = fonts_fetched()

    def switch_on(self) -> None:
        """Start to listen, with nothing heard."""
        self.heard = []
        self.holder[0] = self.ours

    def switch_off(self) -> None:
        """Stop to listen and forget."""
        if self.holder[0] is self.ours:
            self.holder[0] = None
        self.heard = []

    @contextlib.contextmanager
    def deaf(self) -> Iterator[None]:
        """Hear nothing that this thread does."""
        thread = threading.get_ident()
        if thread in self.muted:
            yield
            return
        self.muted.add(thread)
        try:
            yield
        finally:
            self.muted.discard(thread)

    def mark(self, at_once: bool = False) -> Tuple[int, int]:
        """A point in time to ask :meth:`since` for; ``at_once``: only our own work came since that was asked last."""
        if at_once:
            return len(self.heard), self.stood
        return len(self.heard), self.counter.bytes_read() - self.own_reads

    def since(self, mark: Tuple[int, int]) -> Tuple[List[Heard], int]:
        """What was heard since a mark, and how many bytes the process read."""
        self.stood = self.counter.bytes_read() - self.own_reads
        return self.heard[mark[0] :], max(0, self.stood - mark[1])

    def hear(self, event: str, arguments: Tuple[Any, ...]) -> None:
        """Called by the interpreter in the middle of the user's code: quick, and never raises."""
        if event not in HEARD_EVENTS or threading.get_ident() in self.muted:
            return
        try:
            if event == "open":
                path, mode, flags = arguments
                if type(path) is not str:
                    if type(path) is int:
                        return
                    path = os.fspath(path) if type(path).__module__.startswith("pathlib") else path
                    if type(path) is bytes:
                        path = os.fsdecode(path)
                    if type(path) is not str:
                        return
                mode = mode if type(mode) is str else ""
                flags = flags if type(flags) is int else 0
                if path.endswith(LIBRARY_ENDINGS) and not is_write(mode, flags) and os.path.isabs(path):
                    self.heard.append((LIBRARY_READ, (path,)))  # 1,400 in the imports of an ordinary notebook
                    return
                if is_write(mode, flags) or os.path.exists(path):  # else it is about to fail
                    self.heard.append((event, (path, mode, flags, os.getcwd())))
            elif event == "sqlite3.connect":
                database = arguments[0]
                if type(database) is str and database not in ("", ":memory:"):
                    self.heard.append((event, (database, "r", 0, os.getcwd())))
            elif event == "socket.connect" and type(arguments[1]) is not tuple:
                return  # a socket of this machine, addressed by path
            elif event in WRITE_EVENTS:
                path = arguments[0]
                if type(path) is str and not self.of_library(os.path.abspath(path)):
                    self.heard.append((event, ()))
            else:
                self.heard.append((event, ()))
        except Exception:
            return

    def read_on(self) -> int:
        """How far files of the session that an earlier statement opened were read since the last call (Linux)."""
        now: Dict[str, int] = {}
        with contextlib.suppress(OSError):
            for descriptor in os.listdir("/proc/self/fd"):
                with contextlib.suppress(OSError, ValueError):  # the listing itself is closed by now
                    path = os.readlink("/proc/self/fd/" + descriptor)
                    if path in self.opened:
                        with open("/proc/self/fdinfo/" + descriptor, encoding="ascii") as file:
                            now[descriptor + " " + path] = int(file.readline().split()[1])
        moved = sum(max(0, position - self.positions.get(key, 0)) for key, position in now.items())
        self.positions = now
        return moved

    def drew_text(self) -> bool:
        """Whether matplotlib fetched a font since the last call: it reads glyphs from files that it keeps open."""
        before, self.fonts = self.fonts, fonts_fetched()
        return self.fonts != before

    def of_library(self, absolute: str) -> bool:
        """Whether a file belongs to the interpreter, a library or a cache rather than to the session."""
        if absolute.endswith(LIBRARY_ENDINGS) or absolute == os.devnull or absolute.startswith(SYSTEM_PREFIXES):
            return True
        spelled = absolute.replace(os.sep, "/")
        if any(part in spelled for part in PRIVATE_PARTS) or any(part in spelled for part in PRIVATE_PARTS_ALWAYS):
            return True
        return absolute.startswith(self.library_prefixes)


def fonts_fetched() -> int:
    """How often matplotlib has fetched a font in this process."""
    fetch = getattr(sys.modules.get("matplotlib.font_manager"), "_get_font", None)
    try:
        return sum(fetch.cache_info()[:2]) if fetch is not None else 0
    except Exception:  # of a matplotlib to come
        return 0


def library_prefixes() -> Tuple[str, ...]:
    """The directories of the interpreter's library and of installed packages, each with its trailing separator."""
    skipped = ("data", "scripts", "include")
    roots = {path for name, path in sysconfig.get_paths().items() if name not in skipped and path}
    try:
        roots.update(site.getsitepackages())
        roots.add(site.getusersitepackages())
    except Exception:  # an interpreter without site
        pass
    roots.add(os.path.dirname(os.__file__))
    roots |= {os.path.realpath(root) for root in roots}
    return tuple(sorted(root.rstrip(os.sep) + os.sep for root in roots))


class ReadCounter:
    """How many bytes this process has read in its life: 2 us where the file stays open, 7 where it is opened anew."""

    def __init__(self) -> None:
        self.descriptor = -1
        self.process = 0

    def bytes_read(self) -> int:
        """The count now, 0 where the system does not say."""
        if self.process != os.getpid():  # a forked child asks for itself
            self.close()
            try:
                self.descriptor = os.open("/proc/self/io", os.O_RDONLY)
            except OSError:
                self.descriptor = -1
            self.process = os.getpid()
        if self.descriptor < 0:
            return 0
        try:
            first = os.pread(self.descriptor, 64, 0).split(b"\n", 1)[0]
        except OSError:
            return 0
        return int(first[7:]) if first.startswith(b"rchar: ") and first[7:].isdigit() else 0

    def close(self) -> None:
        """Give the file back."""
        if self.descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
        self.descriptor, self.process = -1, 0


def is_write(mode: str, flags: int) -> bool:
    """Whether a file was opened for any way of writing."""
    if mode:
        return any(letter in mode for letter in "wax+")
    return bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def sort_out(heard: List[Heard], read: int, listener: Listener) -> Tuple[List[Dict[str, Any]], List[str]]:
    """The files used (fields of ``model.trace.FileUse``) and the kinds of effect, from what was heard.

    A file counts once per way of use. Reads that no opened file explains give the effect ``file-read`` without a file.
    """
    if not heard and (listener.drew_text() or read <= UNEXPLAINED_LIMIT):  # most statements
        return [], []
    files: Dict[Tuple[str, str], Dict[str, Any]] = {}
    effects: Set[str] = set()
    explained, limit = 0, UNEXPLAINED_LIMIT
    of_libraries: List[str] = []
    for event, arguments in heard:
        if event == LIBRARY_READ:
            of_libraries.append(arguments[0])
        elif event in NETWORK_EVENTS:
            effects.add("network")
        elif event in PROCESS_EVENTS:
            effects.add("process")
        elif event in WRITE_EVENTS:
            effects.add("file-write")
        else:
            path, mode, flags, cwd = arguments
            absolute = os.path.normpath(os.path.join(cwd, path))
            way = "w" if is_write(mode, flags) else "r"
            size = file_size(absolute)
            if way == "r":
                explained += max(size, 0)
            if listener.of_library(absolute) or os.path.isdir(absolute):
                limit = IMPORTING_LIMIT
                continue
            effects.add("file-write" if way == "w" else "file-read")
            if len(listener.opened) < OPENED_LIMIT:
                listener.opened.add(absolute)
            if (absolute, way) not in files and not (size < 0 and way == "r"):
                digest = file_digest(absolute) if way == "r" and 0 <= size <= DIGEST_LIMIT else ""
                listener.own_reads += size if digest else 0
                files[absolute, way] = {
                    "path": path, "absolute": absolute, "mode": way, "size": max(size, 0), "digest": digest,
                }  # fmt: skip
    # One letter may take matplotlib 80 KB: what text takes says nothing of other files.
    unknown = (bool(heard) and listener.drew_text()) or bool(effects & {"process", "network"})
    unexplained = 0 if unknown else read - explained
    if unexplained > limit and any(file_size(path) >= 0 for path in of_libraries):  # asked for only where it matters
        limit = IMPORTING_LIMIT
        for path in sorted(of_libraries, key=is_small_library):  # 1,400 in an import: the large ones explain most
            if unexplained <= limit:
                break
            unexplained -= max(file_size(path), 0)
    if unexplained > limit and unexplained - listener.read_on() > limit:
        effects.add("file-read")
    return list(files.values()), sorted(effects)


def is_small_library(path: str) -> bool:
    """Whether a file of a library is of a kind that is small: compiled Python, not an extension or a font."""
    return path.endswith((".pyc", ".pyo"))


def file_size(path: str) -> int:
    """Size in bytes, -1 where there is no such file."""
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return -1


def file_digest(path: str) -> str:
    """sha256 of a regular file's content now, "" where it cannot be read."""
    try:
        if not os.path.isfile(path):
            return ""
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
        return digest.hexdigest()
    except (OSError, ValueError):
        return ""
