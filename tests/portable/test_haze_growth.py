"""A value that was not looked at is joined to what could have got into it, and to nothing else."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.portable import agent
from tests.portable.test_budget import changed, session
from tests.portable.test_recorder import Session, plain_shell

__all__ = ["session"]  # the fixture: there is never time for anything large

MANY = "[array.array('d', [0.0] * 9) for _ in range(3000)]"
CLOSURE = "def make():\n kept = None\n def put(x):\n  nonlocal kept; kept = x\n return put\n"
START = "import array, functools, weakref\nimport numpy as np\nys = [1]; zs = [2]"


def reached(session: Session) -> set[str]:
    """What the last statement reached."""
    return set(session.last().statements[-1].reached)


def test_who_only_uses_what_a_large_value_may_hold_puts_nothing_into_it(session: Session) -> None:
    session.run(START, f"big = [ys] + {MANY}", "new = [len(ys)]", "new.append(1)")
    assert reached(session) == {"new"}


def test_nor_does_who_comes_after(session: Session) -> None:
    # Each of these reaches ys, and so big: that alone made big reach all of them, and them each other.
    session.run(START, f"big = [ys] + {MANY}", *(f"n{number} = [sum(ys)]" for number in range(9)), "n3.append(1)")
    assert reached(session) == {"n3"}
    session.run("ys.append(1)")
    assert reached(session) == {"big", "ys"}


PUT_IN = {
    "into what it holds": (f"big = [ys] + {MANY}", "ys.append(zs)"),
    "into what it holds, and out of sight": (f"big = [ys] + {MANY}", "ys = (ys.append(zs), 1)"),
    "into itself": (f"big = [ys] + {MANY}", "big.append(zs)"),
    "by a function": (f"big = [ys] + {MANY}\ndef put(x): big.append(x)", "put(zs)"),
    "by text": (f"big = [ys] + {MANY}", "exec('big.append(zs)')"),
    "beside the part that one sees": (
        f"base = np.empty(3000, object); base[:] = {MANY}; part = base[:3]; big = [base, part]; del base",
        "part.base[9] = zs",
    ),
    "into a cache": (
        f"keep = functools.lru_cache(maxsize=None)(lambda key: []); big = [keep] + {MANY}",
        "zs = keep(3)",
    ),
    "into a class": (
        f"class C: seen = []\nc = C(); big = [C.seen, c] + {MANY}",
        "c.seen.append(zs)",
    ),
    "into a class without a name": (
        f"class C: seen = []\nc = C(); big = [C.seen, c] + {MANY}\ndel C",
        "c.seen.append(zs)",
    ),
    "through a weak reference": (
        f"class C: pass\no = C(); r = weakref.ref(o); big = [o, r] + {MANY}\ndel o",
        "r().held = zs",
    ),
    "into a generator": (
        "def g():\n kept = []\n while True: kept.append((yield))\n"
        f"run = g(); next(run); big = [{{'run': run}}] + {MANY}",
        "run.send(zs)",
    ),
    "into the variable of a closure": (
        f"{CLOSURE}put = make(); big = [put] + {MANY}",
        "put(zs)",
    ),
    "into the variable of a closure in a list": (
        f"{CLOSURE}fs = [make()]; big = [fs[0]] + {MANY}",
        "fs[0](zs)",
    ),
    "into the cell of a function": (
        f"def make():\n kept = []\n return kept.append\nput = make(); big = [put] + {MANY}",
        "put(zs)",
    ),
}


@pytest.mark.parametrize(("start", "act"), PUT_IN.values(), ids=PUT_IN)
def test_what_was_put_into_a_large_value_reaches_it(session: Session, start: str, act: str) -> None:
    session.run(START, start, act, "zs.append(3)")
    assert "big" in reached(session) and "big" in changed(session)[-1]


TAKEN = {
    "the same": "part = ys",
    "a part": "part = ys[0]",
    "what holds it": "part = [ys[0], 5]",
    "a view": "part = ar[2:]",
    "in the cell that goes on with it": "part = ys[0]; part.append(4)",
}


@pytest.mark.parametrize("act", TAKEN.values(), ids=TAKEN)
def test_what_was_taken_out_of_what_it_may_hold_stays_joined_to_it(session: Session, act: str) -> None:
    # part is linked to ys, and ys perhaps to big. Then ys is gone.
    session.run(
        START, "ys = [[1], [2]]; ar = np.zeros(9)", f"big = [ys, ar] + {MANY}", act, "ys = ar = None", "part[0]"
    )
    assert "big" in reached(session)


LIBRARY = """
import array
class Canvas:
    def __init__(self, first): self.held = [first] + [array.array('d', [0.0] * 9) for _ in range(3000)]
canvases = []
def canvas(first):
    canvases.append(Canvas(first))
    return canvases[-1]
def draw(*things): canvases[-1].held.extend(things)
"""


@pytest.fixture
def easel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A library that remembers what it made last."""
    (tmp_path / "easel.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("easel", None)


@pytest.mark.parametrize("call", ["easel.draw(ys, zs)", "draw(ys, zs)"])
def test_a_library_may_draw_on_its_own_objects_that_nobody_mentions(session: Session, easel: None, call: str) -> None:
    session.run(START, "import easel; from easel import draw", "big = easel.canvas(ys)", call, "zs.append(3)")
    assert "big" in reached(session)


# Statements over small lists and a large one, each in a cell of its own.
ACTS = (
    "{a}.append({b})", "{a} = [{b}]", "{a} = [1]", "{a} = {b}", "{a}.append(len({b}))", "n = len({a}) + len({b})",
    "big.append({a})", "big[-1].append({a})", "big[-1] = [{a}]", "{a} = big[-1]", "{a} = [big[0], {b}]",
    "put({a})", "{a} = ({b} + [[0]])[0]", "{a} = [{b}]; {b} = [3]", "{a} = [*{b}, [1]]", "{a} = take({b})",
    "{a} = ({a}.append({b}), [2])[1]", "{a}.clear()", "len(big)",
)  # fmt: skip
WORLD = f"""
import array
big = {MANY} + [[0]]
def put(x): big[-1].append(x)
def take(x): return x[-1] if x and type(x[-1]) is list else x
"""


def recorded(tmp_path: Path, cells: list[str], share: float | None) -> list[set[str]]:
    """What each execution may have changed."""
    with plain_shell(tmp_path) as shell:
        session = Session(shell, tmp_path)
        session.command("start", late=False, share=share)
        recorder = agent.recorder_of(shell)
        assert recorder is not None
        if share is not None:
            recorder.budget.left = -1.0
        try:
            session.run(*cells)
            return changed(session)
        finally:
            agent.command("stop", {})


def random_cells(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    acts = [draw.choice(ACTS).format(a=draw.choice("pqrstu"), b=draw.choice("pqrstu")) for _ in range(count)]
    return [WORLD, "p = [1]; q = [2]; r = [3]; s = [4]; t = [5]; u = [6]", *acts]


@pytest.mark.parametrize("seed", range(4))
def test_no_change_is_missed_that_looking_at_everything_finds(tmp_path: Path, seed: int) -> None:
    cells = random_cells(seed, 60)
    (tmp_path / "all").mkdir()
    everything = recorded(tmp_path / "all", cells, None)
    late = recorded(tmp_path, cells, 0.0)
    missed = [(cell, truth - told) for cell, truth, told in zip(cells, everything, late, strict=True) if truth - told]
    assert missed == []
