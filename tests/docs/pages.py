"""A page of docs/ as something that can be run: its files, its commands, and what it says they print.

::

    ```python title="session.py"          a file, written where the commands run
    ```console                            commands, run by a shell one after the other in one directory
    $ nbdag analyze session.py            after "# exit N" the status that is right, else 0
    6 variables and 2 modules             a line that has to be in the output, after those before it
    ...                                   anything may be between
    ```
    ```ipython                            cells with magics: a script for IPython, which has to end without an error

Numbers with their units stand for any number, blanks for any blanks, and "..." at the end of a line for its rest. A
block after ``<!-- not run: why -->`` is not run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>.+?) -->\n+)?^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.M | re.S,
)
_EXIT = re.compile(r"\s+# exit (\d+)$")
_NUMBER = re.compile(r"-?\d[\d_,]*(?:\.\d+)?(?:e-?\d+)?(?: ?(?:µs|ms|s|min|h|%|B|bytes|kB|MB|GB)(?:/s)?(?![\w]))?")
_HEX = re.compile(r"(?<=session-)[0-9a-f]{6}")


@dataclass(frozen=True)
class File:
    path: str
    text: str


@dataclass(frozen=True)
class Command:
    """``expected``: lines of the page."""

    line: str
    status: int
    expected: tuple[str, ...]


def read_page(path: Path) -> list[File | Command]:
    """What is to be done, in the order of the page."""
    found: list[File | Command] = []
    for block in _BLOCK.finditer(path.read_text(encoding="utf-8")):
        if block["why"]:
            continue
        if block["title"]:
            found.append(File(block["title"], block["text"]))
        elif block["kind"] == "console":
            found += _commands(block["text"], path)
        elif block["kind"] == "ipython":
            name = f"cell {len(found)}.ipy"
            found += [File(name, block["text"]), Command(f"python -m IPython --no-banner '{name}'", 0, ())]
    return found


def needed_modules(path: Path) -> list[str]:
    """The modules that the commands of a page need."""
    return re.findall(r"<!-- needs: (\w+) -->", path.read_text(encoding="utf-8"))


def _commands(text: str, path: Path) -> list[Command]:
    found: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            status = _EXIT.search(line)
            found.append(Command(_EXIT.sub("", line[2:]), int(status[1]) if status else 0, ()))
        elif not found:
            raise ValueError(f"{path}: output before any command: {line}")
        elif line.strip():
            last = found[-1]
            found[-1] = Command(last.line, last.status, (*last.expected, line))
    return found


def missing_line(expected: tuple[str, ...], output: str) -> str:
    """The first line of the page that the output lacks in its place; "" if there is none."""
    said = [_plain(line) for line in output.splitlines() if line.strip()]
    at = 0
    for line in expected:
        if line.strip() == "...":
            continue
        wanted, open_end = _plain(line), line.rstrip().endswith("...")
        if open_end:
            wanted = _plain(line.rstrip()[:-3])
        while at < len(said) and not (said[at].startswith(wanted) if open_end else said[at] == wanted):
            at += 1
        if at == len(said):
            return line
        at += 1
    return ""


def _plain(line: str) -> str:
    line = line.lstrip().removeprefix(">>> ")  # the prompt of python -i stands before what is printed
    return " ".join(_NUMBER.sub("#", _HEX.sub("0", line)).split())
