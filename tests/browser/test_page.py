"""The page of ``nbdag graph`` in a real browser: slices, search, keys, dark, print."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.batch.notebooks import notebook_document
from nbdag.cli import run
from tests.browser.chromium import Browser

pytestmark = pytest.mark.slow

PICTURES = os.environ.get("NBDAG_PICTURES", "")  # a directory: keep what the browser showed
CELLS = (
    "import math",
    "radii = [1, 2, 3]",
    "areas = [math.pi * r ** 2 for r in radii]",
    "names = ['a', 'b', 'c']",
    "table = dict(zip(names, areas))",
    "print(names)",
)


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    somebody = Browser(tmp_path / "profile")
    monkeypatch.chdir(tmp_path)
    yield somebody
    somebody.closes()


def opened(browser: Browser, cells: tuple[str, ...]) -> None:
    document = notebook_document(tuple((f"c{number}", cell) for number, cell in enumerate(cells)), "python3")
    Path("circles.ipynb").write_text(json.dumps(document), encoding="utf-8")
    assert run(["graph", "circles.ipynb", "--static", "-q", "-o", "dag.html"]) == 0
    browser.goes_to(Path("dag.html").absolute().as_uri())
    browser.waits_for(f"document.querySelectorAll('.row').length === {len(cells)}")


IN_SLICE = "[...document.querySelectorAll('.row.in')].map(row => +row.dataset.cell)"


def keep(browser: Browser, name: str) -> None:
    if PICTURES:
        browser.pictures(Path(PICTURES) / f"{name}.png")


def test_a_click_shows_the_slice_of_a_cell_and_escape_ends_it(browser: Browser) -> None:
    opened(browser, CELLS)
    keep(browser, "page")
    browser.clicks('.row[data-cell="2"] .code')
    assert browser.waits_for(IN_SLICE) == [0, 1, 2, 4]
    assert "areas = [math.pi" in browser.finds("document.getElementById('panel').innerText")
    keep(browser, "page-slice")
    browser.presses("Escape")
    browser.waits_for("!document.querySelector('.slicing')")
    assert browser.logged == []


def test_searching_and_walking_by_keys(browser: Browser) -> None:
    opened(browser, CELLS)
    browser.presses("/")
    assert browser.waits_for("document.activeElement.id") == "search"
    browser.sends("Input.insertText", text="names")
    assert browser.waits_for("[...document.querySelectorAll('.row.found')].map(row => +row.dataset.cell)") == [3, 4, 5]
    keep(browser, "page-search")
    browser.presses("Enter", "\r")
    browser.waits_for("document.querySelector('.row.chosen')?.dataset.cell === '3'")
    browser.finds("document.querySelector('.row[data-cell=\"3\"]').focus()")
    browser.presses("ArrowDown")
    browser.waits_for("document.querySelector('.row.chosen, .row:focus')?.dataset.cell === '4'")


def test_dark_and_on_paper(browser: Browser) -> None:
    opened(browser, CELLS)
    light = browser.finds("getComputedStyle(document.body).backgroundColor")
    browser.sends("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert browser.finds("getComputedStyle(document.body).backgroundColor") != light
    keep(browser, "page-dark")
    browser.sends("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.finds("getComputedStyle(document.querySelector('.tools')).display") == "none"
    assert browser.sends("Page.printToPDF")["data"]
    keep(browser, "page-print")


def test_five_hundred_cells(browser: Browser) -> None:
    opened(browser, tuple(f"v{n} = [{f'v{n - 7}' if n > 6 else n}]\nw{n} = v{n}" for n in range(500)))
    browser.clicks('.row[data-cell="250"] .code')
    assert len(browser.waits_for(IN_SLICE)) > 50
    place = browser.finds("document.querySelector('.row.chosen').getBoundingClientRect().y")
    assert 0 < place < 900, "the chosen cell stays where it was clicked"
    keep(browser, "page-500")
    assert browser.logged == []
