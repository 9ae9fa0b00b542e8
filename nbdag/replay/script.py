"""The text of restore.py: its head for people, the linked runtime, and the plan as readable Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbdag.model.plan import Load, Replay
from nbdag.model.trace import FileUse
from nbdag.runtime import runtime_source

HEADER = '''\
#!/usr/bin/env python3
# Rebuilds the session{of_notebook}. Written by nbdag{provenance}; needs Python 3.8 or later.
#
{usage}

if __name__ != "nbdag_restore":

    def _nbdag_restore(namespace, code):
        """Run this file once more as a module of its own, so that nothing of it mixes with the names of the session."""
        import sys

        runtime = type(sys)("nbdag_restore")
        sys.modules["nbdag_restore"] = runtime
        try:
            exec(code, runtime.__dict__)
            status = runtime.restore_session(
                namespace, code.co_filename, runtime.DATA_SHA256, runtime.PLAN, runtime.DROPPED
            )
        except Exception:
            import traceback

            if sys.excepthook is sys.__excepthook__:  # which looks for lines in files only
                sys.excepthook = traceback.print_exception
            raise
        finally:
            sys.modules.pop("nbdag_restore", None)
            namespace.pop("_nbdag_restore", None)
        runtime.leave(status, namespace)

    _nbdag_restore(globals(), __import__("sys")._getframe().f_code)

if __name__ == "nbdag_restore":
'''

USAGE = """\
#     python restore.py            restore, say what came back, end
#     python -i restore.py         restore and go on at the prompt
#     %run -i restore.py           restore into a notebook
#     python restore.py --help     more
#
# This file is the whole program: what it runs of the notebook stands at the end, under PLAN; what reads the bundle is
# packed above that, and python restore.py --source prints it. It reads data.msgpack and blobs/ beside it, and
# unpickles nothing that the sha256 below does not vouch for."""

USAGE_OF_ARCHIVE = """\
#     python bundle.pyz            restore, say what came back, end
#     python -i bundle.pyz         restore and go on at the prompt
#     python bundle.pyz --help     more
#
# Into a notebook, or to look at it: python -m zipfile -e bundle.pyz DIR, then %run -i DIR/__main__.py
#
# This file is the whole program: what it runs of the notebook stands at the end, under PLAN; what reads the bundle is
# packed above that, and python bundle.pyz --source prints it. It reads data.msgpack and blobs/ of the same archive, and
# unpickles nothing that the sha256 below does not vouch for."""


def restore_script(
    steps: Sequence[str],
    dropped: Sequence[str],
    data_digest: str,
    provenance: Mapping[str, Any],
    restorers: frozenset[str] | None = None,
    *,
    archive: bool = False,
    without: frozenset[str] = frozenset(),
) -> str:
    """The text of restore.py, or of the ``__main__.py`` of an archive; ``steps`` are spelled as Python already,
    ``restorers`` are all that the pickles call, ``without`` the parts that this bundle has no use for."""
    notebook = str(provenance.get("notebook") or "")
    version = str(provenance.get("nbdag") or "")
    python = str(provenance.get("python") or "")
    said = (f" {version}" if version else "") + (f" on Python {python}" if python else "")
    header = HEADER.replace("{of_notebook}", _one_line(f" of {notebook}" if notebook else ""))
    header = header.replace("{provenance}", _one_line(said))
    header = header.replace("{usage}", USAGE_OF_ARCHIVE if archive else USAGE)
    names = "".join(f"        {name!r},\n" for name in dropped)
    return (
        header
        + _indented(runtime_source(restorers, without))
        + f'\n    DATA_SHA256 = "{data_digest}"\n'
        + "\n    # Made on the way, and no longer in the session at its end.\n"
        + (f"    DROPPED = (\n{names}    )\n" if dropped else "    DROPPED = ()\n")
        + "\n    # What rebuilds the session, in this order.\n"
        + "    PLAN = (\n"
        + "".join(steps)
        + "    )\n"
    )


class RandomTable:
    """The states of random generators that replays begin with, each once."""

    def __init__(self) -> None:
        self.states: list[dict[str, bytes]] = []
        self._numbers: dict[frozenset[tuple[str, bytes]], int] = {}

    def number_of(self, state: Sequence[tuple[str, bytes]]) -> int:
        number = self._numbers.setdefault(frozenset(state), len(self.states))
        if number == len(self.states):
            self.states.append(dict(state))
        return number


def step_text(step: Load | Replay, random_table: RandomTable) -> str:
    """One step as a line or a few of the PLAN."""
    pad = " " * 8
    if isinstance(step, Load):
        return f"{pad}Load({''.join(f'{name!r}, ' for name in step.names)}group={step.group}),\n"
    parts = [f"cell={step.cell!r}", f"line={step.line}", f"names={step.names!r}"]
    if step.why:
        parts.append(f"why={step.why!r}")
    if step.random_state:
        parts.append(f"random_state={random_table.number_of(step.random_state)}")
    files = [_file_text(file) for file in step.files if file.mode == "r"]
    if files:
        parts.append(f"files=({', '.join(files)},)")
    if step.cwd:
        parts.append(f"cwd={step.cwd!r}")
    if step.may_fail:
        parts.append("may_fail=True")
    if step.seconds >= 1:  # two digits: more would not come out the same twice
        parts.append(f"seconds={float(f'{step.seconds:.2g}'):g}")
    inner = f",\n{pad}    ".join([*parts, f"code={code_literal(step.code)}"])
    return f"{pad}Replay(\n{pad}    {inner},\n{pad}),\n"


def _file_text(file: FileUse) -> str:
    return repr((file.path, file.absolute, file.size, file.digest))


def code_literal(code: str) -> str:
    """``code`` as a literal that reads like the code, where that is possible."""
    plain = "'''" not in code and not code.endswith(("'", "\\")) and "\r" not in code and "\x00" not in code
    if plain and all(character.isprintable() or character in "\n\t" for character in code):
        # r'\' cannot end in a backslash; inside, every backslash stands for itself.
        return f"r'''{code}'''"
    return ascii(code)


def _indented(text: str) -> str:
    """``text`` four columns to the right, but for what stands between triple quotes."""
    pieces = text.split("'''")
    for number in range(0, len(pieces), 2):
        lines = pieces[number].splitlines(keepends=True)
        pieces[number] = "".join(f"    {line}" if line.strip() else line for line in lines)
    return "'''".join(pieces)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
