"""nbdag's code on the other side: sent in as source once per kernel, asked between cells (``portable/visiting.py``)."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from functools import cache
from typing import Any, Protocol

from nbdag.errors import KernelProtocolError, RemoteError
from nbdag.link import link

VISITOR_ROOTS = ("nbdag.portable.visiting",)

# Runs there inside exec() with a namespace of its own; each module of the source compiled by itself, to save memory.
_INSTALL = """
import __future__, base64, sys, types, zlib
SEPARATOR = "\\n# " + "-" * 100 + "\\n"
def install(source, digest):
    there = sys.modules.get("nbdag_agent")
    if getattr(there, "__nbdag_digest__", None) == digest:
        return "same"
    module = types.ModuleType("nbdag_agent")
    module.__nbdag_digest__ = digest
    lines = 0
    for part in source.split(SEPARATOR):
        text = "\\n" * lines + part
        exec(compile(text, "<nbdag agent>", "exec", __future__.annotations.compiler_flag, True), module.__dict__)
        lines += part.count("\\n") + SEPARATOR.count("\\n")
    if there is not None:
        there.command("stop", {})
    sys.modules["nbdag_agent"] = module
    return "new"
ANSWER = install(zlib.decompress(base64.b64decode(PACKED)).decode("utf-8"), DIGEST)
"""


class Evaluates(Protocol):
    """A kernel that can be asked for the value of an expression."""

    def evaluate(self, expression: str) -> str:
        """The string that ``expression`` is there."""
        ...


class VisitAgent:
    """The visiting side of one kernel. :meth:`install` again whenever the kernel has been started anew."""

    def __init__(self, channel: Evaluates) -> None:
        self._channel = channel

    def install(self) -> None:
        """Send the code in, unless it is there."""
        packed, digest = packed_source()
        namespace = f"{{'PACKED': {packed!r}, 'DIGEST': {digest!r}}}"
        self._channel.evaluate(f"(lambda space: (exec({_INSTALL!r}, space), space['ANSWER'])[1])({namespace})")

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one command there.

        Raises RemoteError where the machine refuses (its disk, its memory), KernelProtocolError where the code fails.
        """
        asked = json.dumps(arguments)
        answer = self._channel.evaluate(
            f"__import__('json').dumps(__import__('sys').modules['nbdag_agent']"
            f".visit_command({name!r}, __import__('json').loads({asked!r})))"
        )
        try:
            result = json.loads(answer)
        except ValueError:
            raise KernelProtocolError(f"the answer to {name!r} from there is not JSON: {answer[:80]}") from None
        if not isinstance(result, dict):
            raise KernelProtocolError(f"the answer to {name!r} from there is {type(result).__name__}")
        if result.get("error"):
            raise KernelProtocolError(f"nbdag's code there failed at {name!r}: {result['error']}")
        if result.get("refused"):
            raise RemoteError(
                f"the machine there refuses: {result['refused']}", "make room there, or run the cell here"
            )
        return result


@cache
def packed_source() -> tuple[str, str]:
    """The code as base64, and its digest."""
    source = link(VISITOR_ROOTS)
    packed = base64.b64encode(zlib.compress(source.encode("utf-8"))).decode("ascii")
    return packed, hashlib.sha256(source.encode("utf-8")).hexdigest()
