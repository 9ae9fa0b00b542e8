"""Where a run goes on: after what is done and the same, if what was stale in the save can be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nbdag.batch.resuming import where_to_go_on
from nbdag.replay.saved import Saved, SavedRun


def ran(source: str, bound: str = "", touched: str = "", outcome: str = "ok", known: bool = True) -> SavedRun:
    names = frozenset(bound.split())
    return SavedRun(
        source=source,
        cell_id="",
        outcome=outcome,
        count=1,
        silent=False,
        nested=False,
        known=known,
        started=0.0,
        seconds=0.0,
        bound=names,
        touched=names | frozenset(touched.split()),
        random_states=(("random", source.encode()),) if "random" in source else (),
    )


def saved(*runs: SavedRun, without: str = "") -> Saved:
    names = frozenset(name for run in runs for name in run.bound) - frozenset(without.split())
    return Saved(Path("save"), "n.ipynb", "3.11", names, runs, ())


LOAD, FIT = ran("df = load()", "df"), ran("model = fit(df)", "model")


@pytest.mark.parametrize(
    ("runs", "cells", "done", "forget", "why"),
    [
        ((LOAD, FIT), ["df = load()", "model = fit(df)", "show()"], 2, (), "2 of 3 cells ran"),
        ((LOAD, FIT), ["df = load()", "model = fit(df)"], 2, (), "all cells ran"),
        ((LOAD, FIT), ["df = load()", "model = fit(df, 2)"], 1, ("model",), "has been edited since"),
        ((LOAD, FIT), ["df = load(1)", "model = fit(df)"], 0, (), "its first cell has been edited"),
        ((LOAD, ran("a = 1; b", "a", outcome="error")), ["df = load()", "a = 1; b"], 1, ("a",), "the next one failed"),
        (
            (LOAD, ran("df.drop(); b", "", "df", outcome="error")),
            ["df = load()", "df.drop(); b"],
            0,
            (),
            "`df.drop(); b` had changed df, which cells before it made",
        ),
        ((LOAD, FIT, ran("df = df + 1", "df")), ["df = load()", "model = fit(df, 2)"], 0, (), "had changed df"),
        ((ran("import os", "os"), ran("os.chdir('x')")), ["import os", "y = 1"], 0, (), "changed the process"),
        ((LOAD, ran("exec(text)")), ["df = load()", "y = 1"], 0, (), "nobody can see through"),
        ((ran("df = load()", "df", known=False), FIT), ["df = load()", "y = 1"], 0, (), "nobody recorded"),
        ((), ["df = load()"], 0, (), "nothing of it ran"),
    ],
)
def test_where_it_goes_on(
    runs: Sequence[SavedRun], cells: list[str], done: int, forget: tuple[str, ...], why: str
) -> None:
    found = where_to_go_on(saved(*runs), cells)
    assert (found.done, found.forget) == (done, forget), found.why
    assert why in found.why


def test_random_generators_go_back_to_before_what_is_forgotten() -> None:
    runs = (LOAD, ran("x = random()", "x"), ran("y = random() + 1", "y"))
    assert where_to_go_on(saved(*runs), ["df = load()", "x = 2 * random()"]).random == (("random", b"x = random()"),)


def test_what_could_not_be_saved_and_is_needed_is_made_again() -> None:
    runs = (LOAD, ran("gen = iter(df)", "gen"))
    cells = ["df = load()", "gen = iter(df)", "next(gen)"]
    assert "gen could not be saved" in where_to_go_on(saved(*runs, without="gen"), cells).why
    assert where_to_go_on(saved(*runs, without="gen"), [*cells[:2], "len(df)"]).done == 2
