"""nbdag's code on the other side: sent in as source once per process, asked between cells (``portable/visiting.py``).

Every command names the visit that it is meant for. Where another process answers (a server starts a kernel that has
died anew, under the same id), there is no such visit: nothing is done, and KernelReplaced is raised here.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Protocol

from nbdag.analysis.agent_client import install
from nbdag.errors import KernelDied, KernelProtocolError, RemoteError
from nbdag.link import link

VISITOR_ROOTS = ("nbdag.portable.visiting",)


class Evaluates(Protocol):
    """A kernel that can be asked for the value of an expression."""

    def evaluate(self, expression: str, within: float | None = None) -> str:
        """The string that ``expression`` is there. Raises KernelDied where it took longer than ``within`` seconds."""
        ...


class KernelReplaced(KernelDied):
    """Another process answers than the one that the state was sent to: nothing of it is there."""


class VisitAgent:
    """The visiting side of one kernel. :meth:`install`, then :meth:`arrive`, and then commands."""

    def __init__(self, channel: Evaluates) -> None:
        self._channel = channel
        self.visit = ""  # what tells this visit from others, in this and any other process

    def install(self, within: float | None = None) -> None:
        """Send the code in, unless it is there. A recorder of another version is not kept: it knows no visits."""
        install(lambda text: self._channel.evaluate(text, within), _visitor_source(), keep=False)

    def arrive(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Begin a visit; what the process says of itself."""
        self.visit = ""
        answer = self.command("arrive", arguments)
        self.visit = str(answer["visit"])
        return answer

    def expression(self, name: str, arguments: dict[str, Any]) -> str:
        """What is evaluated there for a command; its value is for :meth:`answer`."""
        asked = json.dumps({**arguments, "visit": self.visit})
        return (
            "(lambda json, agent: json.dumps({'replaced': True} if agent is None else "
            f"agent.visit_command({name!r}, json.loads({asked!r}))))"
            "(__import__('json'), __import__('sys').modules.get('nbdag_agent'))"
        )

    def command(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Do one command there. Raises as :meth:`answer`."""
        return self.answer(name, self._channel.evaluate(self.expression(name, arguments)))

    def answer(self, name: str, text: str) -> dict[str, Any]:
        """The answer to a command out of its text.

        Raises KernelReplaced, RemoteError where the machine refuses (its disk, its memory), KernelProtocolError where
        the code fails.
        """
        try:
            result = json.loads(text)
        except ValueError:
            raise KernelProtocolError(f"the answer to {name!r} from there is not JSON: {text[:80]}") from None
        if not isinstance(result, dict):
            raise KernelProtocolError(f"the answer to {name!r} from there is {type(result).__name__}")
        if result.get("replaced"):
            raise KernelReplaced(
                "the process there was ended and started anew: what had been sent is no longer there",
                "often memory, or a server that ends idle kernels; the session here is as it was before the cell",
            )
        if result.get("error"):
            raise KernelProtocolError(f"nbdag's code there failed at {name!r}: {result['error']}")
        if result.get("refused"):
            raise RemoteError(
                f"the machine there refuses: {result['refused']}", "make room there, or run the cell here"
            )
        return result


@cache
def _visitor_source() -> str:
    return link(VISITOR_ROOTS)
