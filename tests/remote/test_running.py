"""A cell runs in a kernel of a real Jupyter server; afterwards the session is as if it had run here."""

from __future__ import annotations

import random
import re
import sys
import threading
from pathlib import Path

import pytest

from nbdag.errors import EnvironmentRefused, RemoteError
from nbdag.remote.outputs import RemoteInterrupt
from tests.remote.notebook import Notebook
from tests.remote.servers import Server


def test_a_variable_goes_and_a_result_comes_back(notebook: Notebook) -> None:
    notebook.runs("import numpy as np\ntable = np.arange(50_000.0)\nunrelated = np.ones(500_000)")
    notebook.sends("pass")  # takes along the modules beside the notebook: here, those of the test suite
    run = notebook.sends("total = float((table * 2).sum())")
    assert notebook["total"] == notebook["table"].sum() * 2
    assert run.changed == ("total",) and run.outcome == "ok"
    assert run.needs.names == ("table",)
    assert run.sent.raw_bytes < 500_000 < run.needs.whole_bytes
    assert notebook.ears.needed[-1].factor > 10


def test_it_runs_in_another_process_and_directory(notebook: Notebook, jupyter: Server) -> None:
    notebook.sends("import os, sys\nprocess, directory, python = os.getpid(), os.getcwd(), sys.executable")
    assert notebook["process"] != __import__("os").getpid()
    assert Path(notebook["directory"]) == jupyter.root
    assert notebook["python"] != sys.executable


def test_what_is_there_already_is_not_sent_again(notebook: Notebook) -> None:
    notebook.runs("weights = list(range(1000))")
    assert notebook.sends("heaviest = max(weights)").needs.missing == ("weights",)
    assert notebook.sends("lightest = min(weights) + heaviest").needs.missing == ()
    notebook.runs("weights.append(-5)")
    assert notebook.sends("lightest = min(weights)").needs.missing == ("weights",)
    assert notebook["lightest"] == -5


def test_functions_classes_and_what_they_read_go_along(notebook: Notebook) -> None:
    notebook.runs(
        "rate = 3\n"
        "def price(x): return x * rate\n"
        "class Shop:\n"
        "    sold = 0\n"
        "    def sell(self, x):\n"
        "        Shop.sold += 1\n"
        "        return price(x)\n"
        "shop = Shop()"
    )
    before = notebook["Shop"], notebook["shop"]
    run = notebook.sends("income = shop.sell(4)")
    assert set(run.needs.names) >= {"shop", "Shop", "price", "rate"}
    assert notebook["income"] == 12
    assert notebook["Shop"].sold == 1
    assert (notebook["Shop"], notebook["shop"]) == before  # the very same class and object
    notebook.runs("def price(x): return -x")
    assert notebook.sends("income = shop.sell(4)").changed and notebook["income"] == -4


@pytest.mark.parametrize(
    ("here", "there", "question"),
    [
        ("a = [1]; b = a", "a.append(2)", "b is a and b == [1, 2]"),
        ("a = [1]; b = {'k': a}", "b['k'].append(2)", "b['k'] is a and a == [1, 2]"),
        ("a = [1]", "b = a", "b is a"),
        ("a = [1]; b = [2]", "c = (a, b, a)", "c[0] is a and c[1] is b and c[2] is a"),
        ("a = [[1], [2]]", "b = a[0]", "b is a[0]"),
        ("a = [[1], [2]]", "b = (a, a[0])", "b[0] is a and b[1] is a[0]"),
        ("a = [1]; b = [a]", "b[0] = [5]", "a == [1] and b == [[5]]"),
        ("a = [1]; b = [a]", "del a", "'a' not in globals() and b == [[1]]"),
        ("a = {'x': 1}", "a['self'] = a", "a['self'] is a"),
        ("import numpy as np; a = np.zeros(9); b = a[:3]", "b += 1", "np.shares_memory(a, b) and a.sum() == 3"),
        ("import numpy as np; a = np.zeros(9)", "b = a[:3]; b[0] = 7", "a[0] == 7 and np.shares_memory(a, b)"),
        ("import numpy as np; a = np.zeros(9); c = [a]", "a[:] = 4", "c[0] is a and a.sum() == 36"),
        ("f = lambda: 1", "g = f", "g is f"),
        ("def f(): return 1", "def f(): return 2", "f() == 2"),
        ("class C: pass\nx = C()", "y = C()", "type(x) is C and type(y) is C"),
        ("def f(log=[]): log.append(1); return len(log)", "n = f(); n = f()", "n == 2 and len(f.__defaults__[0]) == 2"),
        ("a = 1", "a = 'one'; del_me = 2; del del_me", "a == 'one' and 'del_me' not in globals()"),
        ("a = float('nan'); b = [a]", "c = [b, a]", "c[0] is b and c[1] is a"),
    ],
)
def test_identity_holds_on_both_sides(notebook: Notebook, here: str, there: str, question: str) -> None:
    """What a cell does there to linked variables, the same cell does here."""
    notebook.runs(here)
    notebook.sends(there)
    notebook.runs(f"answer = bool({question})")
    assert notebook["answer"]
    assert notebook.sends(f"answer_there = bool({question})") and notebook["answer_there"]


def test_untouched_variables_are_not_touched(notebook: Notebook) -> None:
    notebook.runs("import numpy as np\nkept = np.arange(10.0); text = ['x']; changed = [0]")
    before = notebook["kept"], notebook["text"]
    run = notebook.sends("changed.append(float(kept.sum()) + len(text))")
    assert (notebook["kept"], notebook["text"]) == before
    assert notebook["kept"] is before[0] and notebook["text"] is before[1]
    assert run.changed == ("changed",)


def test_outputs_appear_as_they_would_here(notebook: Notebook, capsys: pytest.CaptureFixture[str]) -> None:
    notebook.sends("import sys\nprint('out'); print('err', file=sys.stderr)\n6 * 7")
    shown = capsys.readouterr()
    assert "out\n" in shown.out and "42" in shown.out and "err\n" in shown.err
    assert notebook["_"] == 42


def test_the_displayed_value_is_the_variable_itself(notebook: Notebook) -> None:
    notebook.runs("shown = [1, 2]")
    notebook.sends("shown")
    assert notebook["_"] is notebook["shown"]


def test_a_cell_that_raises_leaves_what_it_did_until_then(notebook: Notebook) -> None:
    notebook.runs("steps = []")
    outcome = notebook.sends_anyway("steps.append(1)\nsteps.append(2 // 0)")
    assert type(outcome.error).__name__ == "ZeroDivisionError"
    shown = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(outcome.error._render_traceback_()))  # type: ignore[union-attr]
    assert "steps.append(2 // 0)" in shown
    assert notebook["steps"] == [1]


def test_input_is_refused_in_clear_words(notebook: Notebook) -> None:
    outcome = notebook.sends_anyway("name = input('who? ')")
    assert outcome.error is not None
    assert any("input()" in note for note in outcome.run.notes)


def test_random_numbers_go_on_on_both_sides(notebook: Notebook) -> None:
    notebook.runs("import random\nrandom.seed(5)")
    notebook.sends("first = random.random()")
    second = random.random()
    random.seed(5)
    assert [notebook["first"], second] == [random.random(), random.random()]


def test_options_of_libraries_come_along(notebook: Notebook) -> None:
    notebook.runs("import decimal\ndecimal.getcontext().prec = 7")
    notebook.sends("third = decimal.Decimal(1) / 3")
    assert str(notebook["third"]) == "0.3333333"
    notebook.runs("decimal.getcontext().prec = 28")


def test_files_and_directories_there_are_named(notebook: Notebook, jupyter: Server) -> None:
    run = notebook.sends(
        "with open('made.txt', 'w') as file: _ = file.write('x')\nimport os\nos.environ['WHERE'] = 'there'"
    )
    assert any(f"{jupyter.root}/made.txt" in note for note in run.notes)
    assert any("WHERE" in note for note in run.notes)
    missing = notebook.sends_anyway("open('only-here.csv')")
    assert any("working directory" in note for note in missing.run.notes)


def test_what_cannot_be_pickled_is_made_there(notebook: Notebook) -> None:
    notebook.runs("import threading\ngate = threading.Lock()\ntook = gate.acquire()")
    run = notebook.sends("found = gate.locked()")
    assert notebook["found"] is True
    assert any("gate" in note for note in run.notes)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("import hashlib\nheld = hashlib.sha256(b'a')", "held.update(b'b')"),
        ("import threading\nheld = threading.Lock()", "held.acquire()"),
        (
            "import sqlite3\nheld = sqlite3.connect(':memory:')\nmade = held.execute('create table t (a)')",
            "held.execute('insert into t values (1)')",
        ),
    ],
)
def test_what_changed_there_and_cannot_come_back_is_refused(notebook: Notebook, here: str, there: str) -> None:
    notebook.runs(here)
    notebook.runs("xs = [1]")
    before = notebook.state()
    with pytest.raises(RemoteError, match="held"):
        notebook.sends(f"xs.append(2)\n{there}")
    assert notebook.state() == before and notebook["xs"] == [1]
    notebook.sends("xs.append(3)")
    assert notebook["xs"] == [1, 3]


def test_a_list_comes_back_without_the_generator_that_reads_it(notebook: Notebook) -> None:
    run = notebook.sends("xs = [1, 2, 3]; g = (x * 2 for x in xs); first = next(g)")
    assert run.staying == ("g",) and notebook["xs"] == [1, 2, 3]
    notebook.sends("second = next(g)")
    assert (notebook["first"], notebook["second"]) == (2, 4)


def test_a_generator_that_would_advance_there_stays_here(notebook: Notebook) -> None:
    notebook.runs("def count():\n    yield 1\n    yield 2\ncounting = count(); started = next(counting)")
    with pytest.raises(RemoteError, match="counting"):
        notebook.sends("got = next(counting)")
    assert next(notebook["counting"]) == 2


def test_what_a_cell_makes_there_and_cannot_come_back_stays_usable_there(notebook: Notebook) -> None:
    run = notebook.sends("tick = (n for n in range(5)); one = next(tick)")
    assert run.staying == ("tick",) and "tick" not in notebook
    notebook.sends("two = next(tick)")
    assert (notebook["one"], notebook["two"]) == (0, 1)


def test_an_opaque_cell_takes_everything_along(notebook: Notebook) -> None:
    notebook.runs("hidden = 20")
    run = notebook.sends("exec('seen = ' + 'hid' + 'den')")
    assert run.needs.opaque and notebook["seen"] == 20


def test_a_cell_that_does_not_parse_is_not_sent(notebook: Notebook) -> None:
    before = notebook.state()
    with pytest.raises(Exception, match="does not parse"):
        notebook.sends("x = = 1")
    assert notebook.state() == before


def test_an_interrupt_here_interrupts_there(notebook: Notebook) -> None:
    notebook.runs("done = []")
    threading.Timer(2.0, lambda: __import__("os").kill(__import__("os").getpid(), 2)).start()
    outcome = notebook.sends_anyway("done.append(1)\nimport time\ntime.sleep(60)\ndone.append(2)")
    assert isinstance(outcome.error, RemoteInterrupt)
    assert outcome.run.outcome == "interrupted"
    assert notebook["done"] == [1]


def test_a_module_that_is_missing_there_is_named(notebook: Notebook, tmp_path: Path) -> None:
    (tmp_path / "nowhere_else.py").write_text("class Thing: pass\n", encoding="utf-8")
    sys.path.insert(0, str(tmp_path))
    try:
        notebook.runs("import nowhere_else\nthing = nowhere_else.Thing()")
        notebook.shell.user_ns["nowhere_else"].__file__ = "/usr/lib/python3/site-packages/nowhere_else.py"
        with pytest.raises(EnvironmentRefused, match="nowhere_else"):
            notebook.sends("kind = type(thing).__name__")
    finally:
        sys.path.remove(str(tmp_path))
        notebook.runs("del thing, nowhere_else")
        del sys.modules["nowhere_else"]


def test_what_needs_a_package_that_is_not_here_stays_there(notebook: Notebook, jupyter: Server) -> None:
    (jupyter.root / "only_there.py").write_text("class Net:\n    layers = 3\n", encoding="utf-8")
    run = notebook.sends(
        "import sys\nsys.path.insert(0, '.')\nimport only_there\n"
        "only_there.__file__ = '/usr/lib/python3/site-packages/only_there.py'\n"
        "net = only_there.Net(); depth = net.layers"
    )
    assert set(run.staying) == {"net", "only_there"} and notebook["depth"] == 3
    assert any("not installed" in note for note in run.notes)
    notebook.sends("deeper = net.layers + 1")
    assert notebook["deeper"] == 4
