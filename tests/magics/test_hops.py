"""A session moves, goes on, is compiled again and moves on; nothing of it and of its past is lost on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.magics.users import kernel

START = [
    "%load_ext nbdag",
    "import os, random, decimal, itertools",
    "def numbers():\n    n = 10\n    while True:\n        yield n\n        n += 1",
    "gen = numbers()\nfirst = [next(gen) for _ in range(3)]",
    "names = ['ada']; same = names",
    "def counter(n=0):\n    def step():\n        nonlocal n\n        n += 1\n        return n\n    return step",
    "count = counter()",
    "os.environ['HOP'] = 'one'; decimal.getcontext().prec = 7",
    "draws = [random.random() for _ in range(5)]",
    "names",
    "40 + 2",
]


@pytest.mark.slow
def test_laptop_cloud_laptop_cloud(tmp_path: Path) -> None:
    here = tmp_path / "hop0"
    here.mkdir()
    with kernel(here) as user:
        for cell in START:
            shown = user.runs(cell)
            assert "Error" not in shown, shown
        shown = user.runs("%nbdag compile bundle")
        assert "0 lost" in shown, shown
        count = user.count
        expected = user.runs("first, names, round(sum(draws), 9), random.getstate()[1][:3]")
    for hop in range(1, 5):
        there = tmp_path / f"hop{hop}"
        there.mkdir()
        with kernel(there, here / "bundle") as user:
            assert "nbdag records this session" in user.runs("%load_ext nbdag")
            assert user.count == count + 1
            assert user.runs("first, names, round(sum(draws), 9), random.getstate()[1][:3]") == expected
            assert user.runs("len(In), In[4][:3], Out[11], names is same, Out[10] is names, _10 is names") == (
                f"({count + 4}, 'gen', 42, True, True, True)"
            )
            assert user.runs("next(gen), count()") == str((12 + hop, hop))
            assert user.runs("os.environ['HOP'], decimal.getcontext().prec") == "('one', 7)"
            explained = user.runs("%nbdag explain gen")
            assert "gen = numbers()" in explained, explained
            shown = user.runs("%nbdag compile bundle")
            assert "0 lost" in shown and "different" not in shown and "missing" not in shown, shown
            count = user.count
        here = there


def test_what_ran_before_nbdag_came_back_is_known_by_its_text_only(tmp_path: Path) -> None:
    """Nobody saw what the cell did to the generator: no replay of what is known would be sure to give this one."""
    with kernel(tmp_path) as user:
        for cell in ["%load_ext nbdag", "gen = (n for n in [1, 2, 3])\nxs = [1]", "%nbdag compile bundle --no-verify"]:
            user.runs(cell)
    with kernel(tmp_path, tmp_path / "bundle") as user:
        assert user.runs("next(gen), xs.append(2)").endswith("(1, None)")
        user.runs("%load_ext nbdag")
        shown = user.runs("%nbdag plan")
        assert "loses gen" in shown or "ran before nbdag was recording" in shown, shown
        assert "replay is not exact" in shown, shown


def test_what_came_into_a_session_with_variables_is_stored_or_named_as_lost(tmp_path: Path) -> None:
    """The cell that brought it replays nothing: what does not pickle would be missing, for all that the plan says."""
    start = "gen = (n for n in [1, 2, 3])\nclass Name(str):\n    pass\nname = Name('x')"
    with kernel(tmp_path) as user:
        for cell in ["%load_ext nbdag", start, "%nbdag compile bundle --no-verify"]:
            user.runs(cell)
    with kernel(tmp_path) as user:
        for cell in ["%load_ext nbdag", "mine = 7", "%nbdag restore bundle"]:
            user.runs(cell)
        shown = user.runs("%nbdag compile onward --no-verify")
        assert "3 stored" in shown and "1 lost" in shown, shown
        assert "gen" in next(line for line in shown.splitlines() if " lost " in line), shown
    with kernel(tmp_path, tmp_path / "onward") as user:
        assert user.runs("type(name) is Name, mine").endswith("(True, 7)")


@pytest.mark.slow
def test_what_a_bundle_did_to_a_used_process_goes_on_or_is_named(tmp_path: Path) -> None:
    """Whether nbdag was there when it came or is loaded afterwards."""
    changes = "os.environ['HOP'] = 'one'; decimal.getcontext().prec = 7; warnings.filterwarnings('ignore', 'hopping')"
    with kernel(tmp_path) as user:
        for cell in ["%load_ext nbdag", "import os, decimal, warnings, fractions", changes, "fractions.hop = 1"]:
            assert not user.runs(cell).endswith("Error")
        user.runs("%nbdag compile bundle --no-verify")
    ask = "os.environ['HOP'], decimal.getcontext().prec, 'hopping' in str(warnings.filters[0]), fractions.hop"
    orders = {
        "there": ["%load_ext nbdag", "mine = 7", "%nbdag restore bundle"],
        "later": ["mine = 7", "%run -i bundle/restore.py", "%load_ext nbdag"],
    }
    for out, cells in orders.items():
        with kernel(tmp_path) as user:
            for cell in cells:
                user.runs(cell)
            assert user.runs(ask).endswith("('one', 7, True, 1)")
            shown = user.runs(f"%nbdag compile {out} --no-verify")
            assert "fractions.hop = 1" in shown, shown
        with kernel(tmp_path, tmp_path / out) as user:
            asked = user.runs(ask.replace(", fractions.hop", ", hasattr(fractions, 'hop')"))
            assert asked.endswith("('one', 7, True, False)"), (out, asked)


def test_a_session_that_has_a_past_keeps_it(tmp_path: Path) -> None:
    with kernel(tmp_path) as user:
        for cell in ["%load_ext nbdag", "xs = [1]", "xs", "%nbdag compile bundle --no-verify"]:
            user.runs(cell)
    with kernel(tmp_path) as user:
        user.runs("mine = 7")
        user.runs("mine")
        user.runs("%run -i bundle/restore.py")
        assert user.count == 3
        assert user.runs("xs, In[1], Out[2], len(In)") == "([1], 'mine = 7', 7, 5)"
    with kernel(tmp_path) as user:
        user.runs("%run -i bundle/restore.py")  # nothing was here: the session goes on, this cell with it
        assert user.count == 5
        assert user.runs("In[2], Out[3], _i5, Out[3] is xs") == "('xs = [1]', [1], '%run -i bundle/restore.py', True)"


@pytest.mark.slow
def test_files_modules_options_and_credentials_over_three_machines(tmp_path: Path) -> None:
    """What the session changed on the first machine is still a change of the session on the third."""
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    for place in (first, second, third):
        place.mkdir()
    (first / "data.txt").write_text("1 2 3")
    (first / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    cells = [
        "%load_ext nbdag",
        "import helper, warnings, sys\nwarnings.filterwarnings('ignore', message='nothing')",
        "numbers = (int(word) for word in open('data.txt').read().split())\ntwice = [helper.double(next(numbers))]",
        "password = 'hunter2-of-the-owner'\nclient = (word for word in [password])",
        "class Shape:\n    sides = 3\nshape = Shape(); Shape.sides = 4",
        "sys.setrecursionlimit(4321)",
    ]
    ask = "twice, next(numbers), shape.sides, sys.getrecursionlimit(), helper.double(2), 'password' in globals()"
    with kernel(first) as user:
        for cell in cells:
            shown = user.runs(cell)
            assert "Error" not in shown, shown
        shown = user.runs("%nbdag compile bundle")
        assert "verified" in shown, shown
    for number, (here, there) in enumerate(((first, second), (second, third)), 2):
        with kernel(there, here / "bundle") as user:
            user.runs("%load_ext nbdag")
            assert user.runs(ask).endswith(f"([2], {number}, 4, 4321, 4, False)")
            assert user.runs("In[4].split(chr(10))[0]") == "\"password = '***'\""
            assert any("nothing" in one for one in user.runs("[str(f[1]) for f in warnings.filters]").split("'"))
            shown = user.runs("%nbdag compile bundle")
            assert "numbers" in shown and "verified" in shown and "different" not in shown, shown
            assert (
                user.runs("next(numbers, None), 'client' in globals()")
                == f"({number + 1 if number < 3 else None}, False)"
            )
    assert b"hunter2" not in b"".join(path.read_bytes() for path in third.rglob("*") if path.is_file())


def test_a_silent_request_before_nbdag_is_back_could_have_changed_anything(tmp_path: Path) -> None:
    with kernel(tmp_path) as user:
        for cell in ["%load_ext nbdag", "gen = (n for n in range(9))\nxs = [1]", "%nbdag compile bundle --no-verify"]:
            user.runs(cell)
    with kernel(tmp_path, tmp_path / "bundle") as user:
        user.client.execute_interactive("next(gen)", silent=True, timeout=60)
        user.runs("%load_ext nbdag")
        shown = user.runs("%nbdag plan")
        assert "loses gen" in shown and "changed while no cell ran" in shown, shown


def test_a_value_that_changed_unseen_stays_stored_on_the_next_machine(tmp_path: Path) -> None:
    change = "import threading; threading.Timer(0.1, lambda: xs.append(2)).start()"
    cells = ["%load_ext nbdag", "xs = [1]", change]
    with kernel(tmp_path) as user:
        for cell in cells:
            user.runs(cell)
        user.runs("import time; time.sleep(0.5)")
        assert "changed while no cell ran" in user.runs("%nbdag explain xs")
        user.runs("%nbdag compile bundle --only xs --no-verify")
    with kernel(tmp_path, tmp_path / "bundle") as user:
        user.runs("%load_ext nbdag")
        explained = user.runs("%nbdag explain xs")
        assert "xs: stored" in explained and "changed while no cell ran" in explained, explained
        user.runs("xs = [2]")
        assert "changed while no cell ran" not in user.runs("%nbdag explain xs")
