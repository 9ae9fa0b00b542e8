"""Parts of restore.py that stand in it as text until one of their functions is called.

Python compiles a script as a whole at every start. What few restorations need (kernels, histories, packed blobs) would
make every one of them wait: the linker (``nbdag/link.py``) writes such modules as text, and a function of the same name
that gets the real one.
"""

from __future__ import annotations

from typing import Any, Dict

LATER_PARTS: Dict[str, str] = {}


def later(part: str, name: str) -> Any:
    """The function or class ``name`` of a part, which is compiled now if it was not before."""
    text = LATER_PARTS.pop(part, None)
    if text is not None:
        indented = "if True:\n" if text.lstrip("\n").startswith(" ") else ""
        exec(compile(indented + text, "<restore.py: %s>" % part, "exec"), globals())
    return globals()[name]
