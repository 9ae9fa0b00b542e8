"""The options that ``%nbdag plan``, ``explain`` and ``compile`` share, as the pipeline takes them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbdag.magics.command import Completer, Parser
from nbdag.magics.words import files, variables

COMPLETIONS: Mapping[str, Completer] = {
    "store": variables,
    "replay": variables,
    "exclude": variables,
    "only": variables,
    "notebook": files,
}


def add_wishes(parser: Parser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--objective",
        choices=("migrate", "restore", "size"),
        default="migrate",
        help="minimise write and load time, load time, or bytes (migrate)",
    )
    parser.add_argument(
        "--bandwidth", metavar="auto|50MB/s", default="auto", help="speed to the destination; auto: measure the disk"
    )
    parser.add_argument("--max-size", metavar="2GB", default="", help="let the bundle take no more than this")
    for option, words in (
        ("--store", "store it, do not replay"),
        ("--replay", "replay it, do not store"),
        ("--exclude", "leave it behind"),
        ("--only", "take only what is named"),
    ):
        parser.add_argument(option, metavar="NAME", action="append", default=[], help=f"{words} (repeat for more)")
    parser.add_argument(
        "--with-credentials", action="store_true", help="take along what looks like a password, token or key"
    )
    parser.add_argument(
        "--notebook", metavar="FILE", default="", help="where the cells and their tags are, if the server does not say"
    )


def wishes(options: Namespace) -> dict[str, Any]:
    """The shared options as keywords of ``pipeline.plan_session`` and ``pipeline.compile_bundle``."""
    from nbdag.report.rates import parse_rate, parse_size

    return {
        "notebook": Path(options.notebook).expanduser() if options.notebook else None,
        "objective": options.objective,
        "bandwidth": parse_rate(options.bandwidth),
        "max_bytes": parse_size(options.max_size),
        "store": tuple(options.store),
        "replay": tuple(options.replay),
        "exclude": tuple(options.exclude),
        "only": tuple(options.only),
        "with_credentials": options.with_credentials,
    }
