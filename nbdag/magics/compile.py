"""``%nbdag compile DIR``: this session as a bundle."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from nbdag.magics.command import Command, Parser
from nbdag.magics.display import show
from nbdag.magics.recording import recording_agent
from nbdag.magics.wishes import COMPLETIONS, add_wishes, wishes
from nbdag.magics.words import directories


def _arguments(parser: Parser) -> None:
    parser.add_argument("directory", metavar="DIR", help="the bundle to write; an older one is updated")
    add_wishes(parser)
    parser.add_argument(
        "--compression", choices=("auto", "none", "zlib", "zstd"), default="auto", help="how large data is packed"
    )
    parser.add_argument("--store-dir", default="", help="keep large data there, once for all bundles that have it")
    parser.add_argument(
        "--no-verify",
        dest="verify",
        action="store_false",
        help="do not restore it in a fresh process to compare every variable",
    )


def _run(shell: Any, options: Namespace) -> None:
    from nbdag import pipeline
    from nbdag.report.compiled import print_compiled
    from nbdag.report.progress import TerminalProgress

    compiled = pipeline.compile_bundle(
        options.directory if "://" in options.directory else Path(options.directory).expanduser(),
        agent=recording_agent(),
        verify=options.verify,
        compression=options.compression,
        store_directory=Path(options.store_dir).expanduser() if options.store_dir else None,
        progress=TerminalProgress(bar=False, stream=sys.stdout),
        **wishes(options),
    )
    show(lambda page: print_compiled(compiled, page), shell)


COMMAND = Command(
    "compile",
    "Write this session as a bundle: python DIR/restore.py restores it anywhere.",
    _arguments,
    _run,
    completions={**COMPLETIONS, "directory": directories},
    details="example:\n  %nbdag compile restore_bundle --max-size 2GB",
    words="DIR",
)
