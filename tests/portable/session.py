"""A session without a kernel: cells run in a namespace, and a way to move variables of it into another."""

from __future__ import annotations

import base64
import itertools
import linecache
from pathlib import Path
from typing import Any

from nbdag.portable.decode import Loading
from nbdag.portable.encode import write_group

numbers = itertools.count()


class Session:
    """``run`` executes a cell as IPython does: its text is known to linecache."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    def run(self, *cells: str) -> Session:
        for cell in cells:
            filename = f"<test cell {next(numbers)}>"
            linecache.cache[filename] = (len(cell), None, cell.splitlines(True), filename)
            exec(compile(cell, filename, "exec", dont_inherit=True), self.namespace)
        return self

    def by_name(self, *names: str) -> dict[int, str]:
        return {id(self.namespace[name]): name for name in names}

    def encode(self, directory: Path, names: str, by_name: str = "") -> dict[str, Any]:
        values = {name: self.namespace[name] for name in names.split()}
        return write_group(values, self.by_name(*by_name.split()), self.namespace, str(directory))

    def move(self, directory: Path, names: str, definitions: str = "", by_name: str = "", **options: bool) -> Session:
        """Encode ``names``, and load them into a new session where the cell ``definitions`` has run."""
        index = self.encode(directory, names, by_name)
        target = Session()
        if definitions:
            target.run(definitions)
        target.namespace.update(Loading(str(directory), target.namespace, **options).load(as_in_bundle(index)))
        return target


def as_in_bundle(index: dict[str, Any]) -> dict[str, Any]:
    """An index with its bytes, as data.msgpack has it."""

    def part(found: dict[str, Any]) -> Any:
        return base64.b64decode(found["inline"]) if "inline" in found else found

    return {**index, "head": part(index["head"]), "regions": [part(region) for region in index["regions"]]}
