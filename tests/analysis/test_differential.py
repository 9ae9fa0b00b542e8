"""What happens in a session lies within what static analysis allows: two witnesses, ``benchmarks/differential.py``."""

from __future__ import annotations

import importlib.util
import io
import logging
import sys
import threading

import pytest

from benchmarks.differential import EXPLAINED, Tally, check_watched, tally_session, texts_of
from benchmarks.watching import observe
from nbdag.analysis.cells import analyze_cell
from nbdag.analysis.resolve import resolve
from nbdag.portable.fingerprint import fingerprint
from tests.fidelity.sessions import SESSIONS, Session

pytestmark = pytest.mark.skipif(not hasattr(sys, "getrefcount") or sys.platform == "win32", reason="forks a CPython")

# The change, what the text allows, and how it must be seen.
SMALL = [
    "xs = [1]\nys = xs\nys.append(2)",
    "import functools\nlog = []\nrec = functools.partial(log.append)\nrec(1)",
    "seen = []\nclass Meta(type):\n    def __new__(m, *a, **k):\n        seen.append(1)\n"
    "        return super().__new__(m, *a, **k)\n"
    "class A(metaclass=Meta): pass\nclass B(A): pass",
    "d = {}\ndefault = [1]\ngot = d.get('k', default)\ngot.append(2)",
    "a, b = [1], [1, 2]\nlonger = max(a, b, key=len)\nlonger.append(3)",
    "def pair():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n    return up, lambda: n\n"
    "up, get = pair()\nup()",
    "class Box:\n    items = []\n    def put(self, x): self.items.append(x)\nbox = Box()\nbox.put(1)",
    "def setup():\n    global made\n    made = 1\nsetup()\ndel made",
    # What a library's object was given may be called by any of its methods, by a loop over it, by `with`.
    "import sched\nlog = [1]\ndef show(): log.append(2)\ns = sched.scheduler()\n_ = s.enter(0, 1, show)\n_ = s.run()",
    "import itertools\nlimit = 3\ndef small(x): return x < limit\n"
    "it = itertools.takewhile(small, [1, 5])\nfor x in it: pass",
    "import contextlib\nseen = []\ndef bye(*_): seen.append(1)\nstack = contextlib.ExitStack()\n"
    "_ = stack.callback(bye)\nwith stack: pass",
    "import logging, io\nbuf = io.StringIO()\nlg = logging.getLogger('differential')\n"
    "lg.addHandler(logging.StreamHandler(buf))\nlg.propagate = False\nlg.warning('one')",
]  # fmt: skip


def unexplained(tally: Tally) -> list[str]:
    return [str(one) for one in tally.outside if (one.where, one.what, one.name) not in EXPLAINED]


@pytest.mark.parametrize("text", SMALL)
def test_what_happens_in_a_small_session_is_allowed(text: str) -> None:
    tally = tally_session("small", text.splitlines() if "\n " not in text else [text])
    assert not tally.problem and tally.facts > 0
    assert unexplained(tally) == []


@pytest.mark.slow
@pytest.mark.parametrize("session", SESSIONS, ids=[session.name for session in SESSIONS])
def test_what_happens_in_a_session_is_allowed(session: Session) -> None:
    for package in session.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    tally = tally_session(session.name, session.cells)
    assert not tally.problem
    assert unexplained(tally) == []


# ------------------------------------------------------------------------------------------------ the reasons hold


def test_what_holds_a_lock_has_no_fingerprint() -> None:
    class Box:
        def __init__(self) -> None:
            self.lock = threading.Lock()

    assert fingerprint(Box()) is None
    assert fingerprint(logging.StreamHandler(io.StringIO())) is None


def test_a_distribution_of_scipy_changes_with_a_generator_of_its_own_and_not_with_that_of_the_process() -> None:
    # Draws from the process's generator are noted by themselves (portable/drawing.py).
    numpy, stats = pytest.importorskip("numpy"), pytest.importorskip("scipy.stats")
    shared, own = stats.norm(), stats.norm()
    own.random_state = numpy.random.RandomState(3)
    before = fingerprint(shared), fingerprint(own)
    assert own.pdf(0.0) > 0 and shared.rvs() != 0 and (fingerprint(shared), fingerprint(own)) == before
    own.rvs()
    assert fingerprint(shared) == before[0] and fingerprint(own) != before[1]


# ------------------------------------------------------------------------------------------------ the check can fail


def test_a_read_that_the_text_does_not_allow_is_outside() -> None:
    facts = resolve([analyze_cell("y = x"), analyze_cell("z = y")])
    record = {
        "cell": 1,
        "statement": 0,
        "completed": True,
        "read": ["x", "y"],
        "bound": ["z"],
        "set": ["z"],
        "deleted": [],
    }
    tally = Tally("made up")
    check_watched([record], facts, tally)
    assert [(one.what, one.name) for one in tally.outside] == [("read", "x")]


def test_a_promise_that_is_not_kept_is_outside() -> None:
    facts = resolve([analyze_cell("y = 1")])
    record = {"cell": 0, "statement": 0, "completed": True, "read": [], "bound": [], "set": [], "deleted": []}
    tally = Tally("made up")
    check_watched([record], facts, tally)
    assert [(one.what, one.name) for one in tally.outside] == [("did not bind", "y")]


def test_the_watched_namespace_sees_reads_of_functions() -> None:
    facts = resolve([analyze_cell("x = [1]\ndef f(): return x"), analyze_cell("y = f()\ndel x")])
    last = observe(texts_of(facts))[2:]
    assert [(record["read"], record["bound"], record["deleted"]) for record in last] == [
        (["f", "x"], ["y"], []),
        ([], [], ["x"]),
    ]
