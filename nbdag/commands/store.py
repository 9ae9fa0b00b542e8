"""``nbdag store gc``: tidies a directory that ``nbdag compile --store-dir`` shares large data in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

store = typer.Typer(
    name="store",
    help="Look after a directory of shared data (nbdag compile --store-dir).",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@store.callback()
def _root() -> None:
    pass


@store.command()
def gc(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What --store-dir was given.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
) -> None:
    """Remove the data that no bundle uses any more.

    A bundle uses data by a hard link to it, or, from another disk, by name: such a bundle is known by the place where
    it was compiled. What is younger than an hour stays.
    """
    from nbdag.replay.stores import Store
    from nbdag.report.units import say_bytes, say_count

    found = Store.at(directory).collect(dry_run=dry_run)
    for bundle in found.gone:
        print(f"{bundle} is no more: what only that bundle used is not needed")
    would = "would be " if dry_run else ""
    print(
        f"{say_count(len(found.removed), 'blob')} of {say_bytes(found.freed)} {would}removed, "
        f"{say_count(found.kept, 'blob')} in use or new"
    )
