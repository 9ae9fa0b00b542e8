"""Runs the statements of a session in a namespace that tells of every access: a second witness beside the recorder.

    python benchmarks/watching.py SESSION.json OBSERVED.json

CPython asks a namespace that is a subclass of dict by its methods, also for the globals of a function: every read of a
session name is seen, by whatever code. (Not those of class bodies, which look into the globals by the C call.) Standard
library only: it runs where the libraries of the notebook are, without IPython and without nbdag.

SESSION is a list of cells, each a list of statements ``[cell, statement, text]``; one that raises ends its cell.
"""

from __future__ import annotations
import __future__

import ast
import asyncio
import builtins
import inspect
import json
import linecache
import sys
from typing import Any

FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})


class Watched(dict):  # type: ignore[type-arg]
    """A namespace that notes who was read before it was bound, bound and deleted since ``forget``."""

    def forget(self) -> None:
        self.read: set[str] = set()
        self.used: set[str] = set()
        self.bound: set[str] = set()
        self.deleted: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        self.used.add(name)
        if name not in self.bound:
            self.read.add(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        self.bound.add(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self.deleted.add(name)


def observe(cells: list[list[tuple[int, int, str]]]) -> list[dict[str, Any]]:
    """One record per statement that ran."""
    space = Watched(__name__="__main__", __builtins__=builtins)
    space.forget()
    builtins.display = lambda *values, **options: None  # type: ignore[attr-defined]
    sys.argv = ["session"]
    flags = 0
    found = []
    for cell in cells:
        for number, statement, text in cell:
            name = f"<cell {number} statement {statement}>"
            linecache.cache[name] = (len(text), None, text.splitlines(True), name)
            before = {key: id(value) for key, value in space.items()}
            space.forget()
            completed, problem = True, ""
            try:
                tree = compile(text, name, "exec", flags | ast.PyCF_ONLY_AST, dont_inherit=True)
                code = compile(tree, name, "exec", flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
                flags |= code.co_flags & FUTURE
                if code.co_flags & inspect.CO_COROUTINE:
                    asyncio.run(eval(code, space))
                else:
                    exec(code, space)
            except BaseException as error:
                completed, problem = False, f"{type(error).__name__}: {error}"
            after = dict(space)
            changed = {key for key, value in after.items() if before.get(key) != id(value)}  # also by the C call
            found.append(
                {
                    "cell": number,
                    "statement": statement,
                    "completed": completed,
                    "problem": problem,
                    "read": sorted(space.read),
                    "used": sorted(space.used),
                    "bound": sorted((space.bound & set(after)) | changed),
                    "set": sorted(space.bound | changed),
                    "deleted": sorted((set(before) | space.deleted) - set(after)),
                }
            )
            if not completed:
                break
    return found


if __name__ == "__main__":
    source, target = sys.argv[1:]  # the session gets arguments of its own
    with open(source, encoding="utf-8") as file:
        session = json.load(file)
    records = observe(session)
    with open(target, "w", encoding="utf-8") as file:
        json.dump(records, file)
