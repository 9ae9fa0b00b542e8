"""restore.py carries its runtime packed, module by module, and compiles what a restoration needs.

As plain text the runtime would be two thirds of most bundles; packed it takes a quarter of that. Each module is
compiled on its own, which is faster than a script as a whole; those that few restorations need (kernels, histories,
packed blobs) when they are called. What was compiled is kept as Python keeps imported modules: in the user's cache
directory, by the sha256 of the packed text, so that a second start unpacks nothing. Only what this user alone can
write is read there. Nothing depends on that directory; ``PYTHONDONTWRITEBYTECODE`` and ``python -I`` leave it alone.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence

from nbdag.portable.sha256 import sha256_of

PACKED: List[str] = []  # the modules, each after those that it imports: packed by zlib in base 85; then the text
WAITING: Dict[str, Sequence[str]] = {}  # of which modules these functions and classes are called, if at all
DIGEST: List[str] = []  # the sha256 of what is packed, once it was asked for

SOURCE_NAME = "restore.py --source"  # what tracebacks call the text, which is what that prints
PART_BEGINS = "# -------- "
DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"

MOST_KEPT = 64  # files of 5 to 150 kB: older ones go when a new one is kept


def start_parts() -> None:
    """Run all parts but those that wait; of them there are functions of the same names that get the real ones."""
    for part, names in WAITING.items():
        for name in names:
            globals()[name] = stand_in(part, name)
    globals()["__loader__"] = PartsLoader()
    lines = sys.modules.get("linecache")
    if lines is not None:  # of another bundle that this process has restored: its program is another one
        lines.cache.pop(SOURCE_NAME, None)
    for code in compiled():
        exec(code, globals())


def stand_in(part: str, name: str) -> Callable[..., Any]:
    """What is called in place of ``name`` as long as its part waits."""
    return lambda *arguments, **options: later(part, name)(*arguments, **options)


def later(part: str, name: str) -> Any:
    """The function or class ``name`` of a part, which is compiled now if it was not before."""
    if part in WAITING:  # until it has run: an interrupt on the way, or another thread, begins again
        exec(compiled(part)[0], globals())
        WAITING.pop(part, None)
    return globals()[name]


class PartsLoader:
    """What tracebacks ask for the lines that they show."""

    def get_source(self, name: str) -> str:
        """The text of all parts."""
        return source_of_parts()


def source_of_parts() -> str:
    """The runtime as text; it is unpacked once."""
    if len(PACKED) > 1:
        return PACKED[1]
    try:
        unpacker = __import__("zlib").decompressobj()
    except ImportError:
        sys.stderr.write("restore.py: this Python has no zlib, which unpacks the program\n")
        raise SystemExit(4) from None
    digits = "".join(PACKED[0].split()).encode("ascii").translate(bytes.maketrans(DIGITS, bytes(range(85))))
    words = 0  # of 32 bits, all in one number: each step is one operation, and no word overflows into the next
    for place in range(5):
        lane = bytearray(len(digits) // 5 * 4)
        lane[3::4] = digits[place::5]
        words = words * 85 + int.from_bytes(lane, "big")
    PACKED.append(unpacker.decompress(words.to_bytes(len(digits) // 5 * 4, "big")).decode("utf-8"))
    return PACKED[1]


def compiled(part: str = "") -> List[Any]:
    """The code objects of one part, or of all that do not wait: as they were kept, or compiled now and kept. In one
    file: one for each module would serve bundles that differ in a few, and each take 0.1 ms."""
    import marshal

    if not DIGEST:
        DIGEST.append(sha256_of(PACKED[0].encode("ascii")))
    which = part or ",".join(sorted(WAITING))  # all but those
    key = sha256_of("\0".join([sys.version, str(sys.flags.optimize), which, DIGEST[0]]).encode("utf-8"))
    folder = kept_folder()
    content = kept_content(folder, key) if folder else None
    if content is not None:
        return list(marshal.loads(content))
    codes, lines = [], 0
    for text in source_of_parts().split(PART_BEGINS):
        name, _, body = text.partition("\n")
        if name == part or (not part and name and name not in WAITING):  # at its place in the whole, for tracebacks
            codes.append(compile("\n" * (lines + 1) + body, SOURCE_NAME, "exec", 0, True))
        lines += text.count("\n")
    if folder and not sys.dont_write_bytecode:
        try:
            keep(folder, key, marshal.dumps(codes))
        except OSError:
            pass
    return codes


def kept_folder() -> str:
    """Where compiled parts are kept, "" if nowhere."""
    if sys.flags.isolated:
        return ""
    base, home = os.environ.get("NBDAG_CACHE_DIR"), os.path.expanduser("~")
    if not base and os.name == "nt":
        base = os.path.join(os.environ.get("LOCALAPPDATA") or "", "nbdag", "Cache")
    elif not base and sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches", "nbdag")
    elif not base:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "nbdag")
    return os.path.join(base, "compiled") if os.path.isabs(base) else ""


def kept_content(folder: str, key: str) -> Optional[bytes]:
    """What was kept under ``key``; None if nothing was, somebody else may have written it, or it is damaged."""
    try:
        if not is_own(os.stat(folder)):
            return None
        with open(os.path.join(folder, key), "rb") as file:
            content = file.read() if is_own(os.fstat(file.fileno())) else b""
    except OSError:
        return None
    digest, _, content = content.partition(b"\n")
    return content if digest == sealed(key, content) else None


def sealed(key: str, content: bytes) -> bytes:
    """What the first line of a kept file says."""
    return sha256_of(key.encode("ascii") + content).encode("ascii")


def is_own(status: Any, strictly: bool = True) -> bool:
    """Whether a file or directory belongs to this user and, if ``strictly``, nobody else may write to it."""
    if not hasattr(os, "geteuid"):  # Windows: the directory is below the user's profile
        return True
    return bool(status.st_uid == os.geteuid()) and not (strictly and status.st_mode & 0o022)


def keep(folder: str, key: str, content: bytes) -> None:
    """Write ``content`` under ``key``, in one step; raises OSError. Not into the directories of another user (sudo)."""
    if not os.path.isdir(folder):
        above = os.path.dirname(folder)
        while not os.path.isdir(above) and above != os.path.dirname(above):
            above = os.path.dirname(above)
        if not is_own(os.stat(above), strictly=False):
            raise PermissionError(above)
        os.makedirs(folder, 0o700)
    if not is_own(os.stat(folder)):
        raise PermissionError(folder)
    path = os.path.join(folder, key)
    beside = "%s.%d" % (path, os.getpid())
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(sealed(key, content) + b"\n" + content)
        os.replace(beside, path)
    except OSError:
        os.unlink(beside)
        raise
    others = [os.path.join(folder, name) for name in os.listdir(folder)]
    if len(others) > MOST_KEPT:
        for other in sorted(others, key=os.path.getmtime)[:-MOST_KEPT]:
            os.unlink(other)
