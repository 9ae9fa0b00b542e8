"""``%nbdag plan`` and ``%nbdag explain``: what would be stored and what replayed, and why."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from nbdag.magics.command import Command, Parser
from nbdag.magics.display import show
from nbdag.magics.recording import recording_agent
from nbdag.magics.wishes import COMPLETIONS, add_wishes, wishes
from nbdag.magics.words import variables


def _plan_arguments(parser: Parser) -> None:
    add_wishes(parser)
    parser.add_argument(
        "--explain", metavar="NAME", action="append", default=[], help="say in words why it is stored or replayed"
    )


def _explain_arguments(parser: Parser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="+", help="variables of the session")
    add_wishes(parser)


def _plan(shell: Any, options: Namespace) -> None:
    _show_plan(shell, wishes(options), tuple(dict.fromkeys(options.explain)))


def _explain(shell: Any, options: Namespace) -> None:
    _show_plan(shell, wishes(options), tuple(dict.fromkeys(options.names)))


def _show_plan(shell: Any, asked: dict[str, Any], explained: tuple[str, ...]) -> None:
    from nbdag import pipeline
    from nbdag.report.plan import print_plan

    planned = pipeline.plan_session(agent=recording_agent(), explained=explained, **asked)
    show(lambda page: print_plan(planned, page, command="%nbdag"), shell)


PLAN = Command(
    "plan",
    "What would be stored and what replayed, and why; nothing is written.",
    _plan_arguments,
    _plan,
    completions={**COMPLETIONS, "explain": variables},
    details="example:\n  %nbdag plan --bandwidth 20MB/s",
)
EXPLAIN = Command(
    "explain",
    "Why these variables are stored or replayed, in words.",
    _explain_arguments,
    _explain,
    completions={**COMPLETIONS, "names": variables},
    details="example:\n  %nbdag explain model",
    words="NAME ...",
)
