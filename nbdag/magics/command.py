"""What a ``%nbdag`` command is: a name, words for people, arguments, and what it does in a shell.

A command is one module of this package that defines a ``COMMAND``, and one line in ``registry.COMMANDS``. Its module
imports what is heavy inside functions: ``%load_ext nbdag`` is quick.
"""

from __future__ import annotations

import argparse
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from nbdag.errors import UsageError

Completer = Callable[[Any, str], Iterable[str]]
"""Takes the shell and what was typed of a word so far; gives words that it may become."""


class HelpShown(Exception):
    """``--help`` was asked for and answered: there is nothing left to do."""


class Parser(argparse.ArgumentParser):
    """Arguments of a magic: a mistake is a UsageError, help is printed, and the kernel goes on."""

    def __init__(self, **keywords: Any) -> None:
        keywords.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**keywords, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", f"{self.prog} --help shows the options")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise HelpShown

    def print_help(self, file: Any = None) -> None:
        print(self.format_help().rstrip())


@dataclass(frozen=True, slots=True)
class Command:
    """One ``%nbdag NAME``.

    ``arguments`` declares its options, ``run`` does it and shows what it has to show (``display.show``). ``run_cell``
    is ``%%nbdag NAME`` with the text of the cell; without one, the command is a line. ``completions`` tells, by the
    ``dest`` of an argument, what it may be; choices and options are known from ``arguments``. ``words`` is what
    ``%nbdag help`` shows behind the name. ``changes`` says that it may change variables of the session: then the
    recorder looks on as at any statement.
    """

    name: str
    summary: str
    arguments: Callable[[Parser], None]
    run: Callable[[Any, Namespace], None]
    run_cell: Callable[[Any, Namespace, str], None] | None = None
    completions: Mapping[str, Completer] = field(default_factory=dict)
    details: str = ""
    words: str = ""
    changes: bool = False

    def parser(self) -> Parser:
        """A fresh parser of this command's words."""
        parser = Parser(prog=f"%nbdag {self.name}", description=self.summary, epilog=self.details or None)
        self.arguments(parser)
        return parser
