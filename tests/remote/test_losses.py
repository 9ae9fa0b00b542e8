"""What a cell did there and cannot come back is said, and what can come back is not lost with it."""

from __future__ import annotations

import pytest

from nbdag.remote import running
from nbdag.remote.model import CellRequest
from tests.remote.conftest import needs
from tests.remote.notebook import Notebook

LOSES = """
class P:
    __slots__ = ('a', 'b')
    def __getstate__(self): return {'a': self.a}
    def __setstate__(self, s):
        self.a = s['a']
        self.b = 'reset'
p = P()
p.a, p.b = 1, [2]
other = [3]
"""


def test_a_thread_that_goes_on_there_is_named(notebook: Notebook) -> None:
    run = notebook.sends(
        "import threading\nout = []; end = threading.Event()\n"
        "def work():\n    end.wait(20)\n    out.append('late')\n"
        "thread = threading.Thread(target=work, daemon=True); thread.start()"
    )
    assert any("work" in note and "goes on there" in note for note in run.notes)
    assert not any("goes on there" in note for note in notebook.sends("x = 1").notes)


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        ("import colorsys\ncolorsys.rgb_to_hls = lambda *rgb: 'patched'", "colorsys.rgb_to_hls"),
        ("from fractions import Fraction\nFraction.twice = lambda self: self * 2", "Fraction.twice"),
        ("import logging\nlogging.getLogger('app').addHandler(logging.NullHandler())", "NullHandler"),
    ],
)
def test_what_was_put_into_a_library_there_is_named(notebook: Notebook, cell: str, named: str) -> None:
    assert any(named in note for note in notebook.sends(cell).notes)
    assert not any(named in note for note in notebook.sends("import colorsys, logging\nx = 1").notes)


def test_a_value_that_its_own_pickling_spoils_stays_there_and_the_rest_comes_back(notebook: Notebook) -> None:
    run = notebook.sends(LOSES)
    assert run.staying == ("p",) and notebook["other"] == [3] and "p" not in notebook
    assert any("p stays" in note and ".b" in note for note in run.notes)
    notebook.sends("seen = p.b")
    assert notebook["seen"] == [2]


def test_a_data_set_of_scikit_learn_comes_back(notebook: Notebook) -> None:
    needs("sklearn")
    run = notebook.sends("from sklearn.datasets import load_iris\nd = load_iris()")
    assert run.staying == () and notebook["d"].data.shape == (150, 4)


def test_what_shares_state_with_what_stays_there_is_named_and_not_taken_for_the_same(notebook: Notebook) -> None:
    run = notebook.sends(
        "def gen():\n    seen = []\n    while True:\n        seen.append((yield seen))\ng = gen()\ns = next(g)"
    )
    assert run.staying == ("g",)
    assert any("s shares state with g" in note for note in run.notes)
    assert notebook.sends("g.send(1)").outcome == "ok"
    assert notebook.sends("length = len(s)").needs.missing == ("s",)
    assert notebook["length"] == len(notebook["s"])


def test_what_is_only_there_is_not_referred_to(notebook: Notebook) -> None:
    assert notebook.sends("class C: numbers = (n for n in range(3))").staying == ("C",)
    run = notebook.sends("d = C(); n = 1")
    assert notebook["n"] == 1 and "d" in run.staying


def test_a_large_value_that_was_left_there_comes_with_what_leads_to_it(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LAZY_BYTES", 100_000)
    assert notebook.remote is not None
    notebook.remote.run(CellRequest("import numpy as np\nbig = np.arange(50_000.0)"), lazy=True)
    assert type(notebook["big"]).__name__ == "RemoteValue"
    notebook.remote.run(CellRequest("pair = [big]"), lazy=True)
    assert notebook["pair"][0] is notebook["big"] and notebook["big"].sum() == sum(range(50_000))


def test_a_class_inside_a_class_that_an_instance_changed_comes_back(notebook: Notebook) -> None:
    notebook.runs("class C:\n    class Inner:\n        items = []\ni = C.Inner()")
    notebook.sends("i.items.append(2)")
    notebook.runs("answer = (C.Inner.items, type(i) is C.Inner)")
    assert notebook["answer"] == ([2], True)


def test_a_library_that_holds_an_object_which_was_replaced_is_pointed_out(notebook: Notebook) -> None:
    notebook.runs("import colorsys\nmodel = [1]; alone = [1]; pair = [alone]\ncolorsys.known = [model]")
    run = notebook.sends("model.append(2); alone.append(2)")
    assert [note for note in run.notes if note.startswith("model: ") and "still holds the old one" in note]
    notebook.runs("del colorsys.known")
