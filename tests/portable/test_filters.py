"""Warning filters: which are the session's and which came with a library, and their order after a restoration."""

from __future__ import annotations

import json
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nbdag.portable.codescan import scan_code
from nbdag.portable.filters import FilterBook
from nbdag.portable.library_state import set_warnings, warnings_state


@pytest.fixture(autouse=True)
def as_python_starts() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("ignore", ImportWarning)
        warnings.simplefilter("default", DeprecationWarning)
        yield
    for name in [name for name in sys.modules if name.startswith("library_of_a_test")]:
        del sys.modules[name]


def library(number: int) -> Callable[[], None]:
    """What importing a library does that brings a filter."""

    def load() -> None:
        sys.modules[f"library_of_a_test{number}"] = types.ModuleType("library")
        warnings.filterwarnings("ignore", message=f"library {number}")

    return load


def user(text: str) -> Callable[[], None]:
    return lambda: exec(text, {"warnings": warnings})


def live(*statements: tuple[str, Callable[[], None]], book: FilterBook | None = None) -> tuple[Any, Any]:
    """What the session changed, as a bundle has it, and the filters at its end."""
    before = warnings_state()
    book = book or FilterBook()
    for text, work in statements:
        work()
        book.after(scan_code(compile(text, "<cell>", "exec")))
    return json.loads(json.dumps(book.change(before, warnings_state()))).get("warnings", {}), warnings_state()


OWN = "warnings.filterwarnings('error', message='library.*')"
AGAIN = "warnings.simplefilter('default', DeprecationWarning)"
SESSIONS: list[tuple[str, list[tuple[str, Callable[[], None]]]]] = [
    ("a library's filter over the session's", [(OWN, user(OWN)), ("import a", library(1))]),
    ("the session's over a library's", [("import a", library(1)), (OWN, user(OWN))]),
    ("between two libraries'", [("import a", library(1)), (OWN, user(OWN)), ("import b", library(2))]),
    ("one that was there, asked for again", [("import a", library(1)), (AGAIN, user(AGAIN))]),
    ("all gone", [("import a", library(1)), ("warnings.resetwarnings()", warnings.resetwarnings)]),
]


@pytest.mark.parametrize("statements", [row[1] for row in SESSIONS], ids=[row[0] for row in SESSIONS])
def test_filters_are_asked_in_the_order_of_the_session(statements: list[tuple[str, Callable[[], None]]]) -> None:
    start = list(warnings.filters)
    changes, wanted = live(*statements)
    warnings.filters[:] = start  # type: ignore[index]
    for text, work in statements:  # imports are replayed, whoever is asked to stand where; the rest is not
        if "import" in text:
            work()
    assert changes and set_warnings(changes) is None
    assert warnings_state() == wanted


def test_imports_alone_change_nothing() -> None:
    assert live(("import a", library(1)), ("import b", library(2)))[0] == {}


def test_a_filter_that_only_the_target_has_stays_before_the_one_behind_it() -> None:
    changes, _ = live((OWN, user(OWN)))
    warnings.resetwarnings()
    warnings.simplefilter("ignore", ImportWarning)
    warnings.simplefilter("always", BytesWarning)
    warnings.simplefilter("default", DeprecationWarning)
    set_warnings(changes)
    names = [entry[2].partition(":")[2] for entry in warnings_state() or []]
    assert names == ["Warning", "DeprecationWarning", "BytesWarning", "ImportWarning"]


def test_filters_that_a_bundle_brought_are_the_sessions() -> None:
    before = warnings_state()
    changes, _ = live((OWN, user(OWN)))
    warnings.filters[:] = warnings.filters[1:]  # type: ignore[index]
    book = FilterBook()
    library(1)()  # %nbdag restore: imports and filters in one statement, whose text says nothing of them
    set_warnings(changes)
    book.adopt({"warnings": changes})
    book.after(scan_code(compile("get_ipython().run_line_magic('nbdag', 'restore')", "<cell>", "exec")))
    assert book.change(before, warnings_state())["warnings"]["front"] == changes["front"]
