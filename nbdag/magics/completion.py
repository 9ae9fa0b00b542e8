"""Completion of a ``%nbdag`` line: commands, options, and what an option or an argument may be."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from nbdag.magics.command import Command
from nbdag.magics.registry import COMMANDS

KEYS = ("%nbdag", "%%nbdag")


def install(shell: Any) -> None:
    """Let the shell ask here for lines that begin with ``%nbdag``."""
    for key in KEYS:
        shell.set_hook("complete_command", complete, str_key=key)


def remove(shell: Any) -> None:
    """Let it ask no longer."""
    dispatcher = shell.strdispatchers.get("complete_command")
    for key in KEYS:
        if dispatcher is not None:
            dispatcher.strs.pop(key, None)


def complete(shell: Any, event: Any) -> list[str]:
    """What the word at the cursor may become; IPython calls it."""
    before = str(getattr(event, "text_until_cursor", None) or event.line)
    typed = str(event.symbol)
    try:
        return sorted({word for word in candidates(shell, before) if word.startswith(typed)})
    except Exception:  # completion that fails must not disturb the typing
        return []


def candidates(shell: Any, before: str) -> Iterable[str]:
    """Words that may stand at the end of ``before``, the line up to the cursor."""
    *words, typed = before.split("\n")[-1].split(" ")
    words = [word for word in words[1:] if word]
    if not words:
        cell = before.lstrip().startswith("%%")
        named = [command.name for command in COMMANDS if command.run_cell is not None or not cell]
        return [*named, *(() if cell else ("help",))]
    if words == ["help"]:
        return [command.name for command in COMMANDS]
    command = next((one for one in COMMANDS if one.name == words[0]), None)
    return _arguments(shell, command, words[1:], typed) if command is not None else ()


def _arguments(shell: Any, command: Command, words: Sequence[str], typed: str) -> Iterable[str]:
    parser: argparse.ArgumentParser = command.parser()
    awaited: argparse.Action | None = None
    free: list[argparse.Action] = []

    def enter(inner: argparse.ArgumentParser) -> None:
        nonlocal parser, free
        parser, free = inner, [action for action in inner._actions if not action.option_strings]

    enter(parser)
    for word in words:
        if awaited is not None and not word.startswith("-"):
            awaited = None
        elif word.startswith("-"):
            awaited = None if "=" in word else _option(parser, word)
        elif free:
            action = free[0]
            if isinstance(action, argparse._SubParsersAction):
                enter(action.choices.get(word, parser))
            elif action.nargs not in {"*", "+"}:
                free.pop(0)
    if typed.startswith("-") and "=" in typed:
        name, _, value = typed.partition("=")
        option = _option(parser, name)
        return _values(shell, command, option, value) if option is not None else ()
    if awaited is not None:
        return _values(shell, command, awaited, typed)
    if typed.startswith("-"):
        return [string for action in parser._actions for string in action.option_strings if string.startswith("--")]
    return _values(shell, command, free[0], typed) if free else ()


def _option(parser: argparse.ArgumentParser, word: str) -> argparse.Action | None:
    """The option called so, if a value belongs to it."""
    for action in parser._actions:
        if word in action.option_strings and action.nargs != 0:
            return action
    return None


def _values(shell: Any, command: Command, action: argparse.Action, typed: str) -> Iterable[str]:
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    completer = command.completions.get(action.dest)
    return completer(shell, typed) if completer is not None else ()
