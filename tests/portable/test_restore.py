"""restore.py as its users meet it: run by every Python of this machine, at a prompt, damaged, in a bare environment."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdag.model.trace import FileUse
from nbdag.replay.fallback import Fallbacks
from tests.interpreters import interpreters
from tests.portable.session import Session
from tests.restoring import bundle_of, replay, restore

PYTHONS = interpreters()

DEFINITIONS = """\
import collections, enum, re

class Node:
    made = 0
    def __init__(self, next=None):
        self.next = next

class Color(enum.Enum):
    RED = 1

Pair = collections.namedtuple("Pair", "a b")

def log(text, seen=[]):
    seen.append(text)
    return len(seen)
"""

VALUES = """\
import datetime, decimal, fractions, functools, itertools, pathlib, types, uuid
xs = [1]
both = {"one": xs, "two": xs}
red, pair = Color.RED, Pair(1, xs)
head = None
for _ in range(20_000): head = Node(head)
def counter(n):
    def step():
        nonlocal n
        n += 1
        return n
    return step, lambda: n
step, read = counter(3)
step()
handlers = {"log": log, "double": lambda v: v * 2, "part": functools.partial(log, "p")}
log("a"); log("b")
dates = [datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc), datetime.timedelta(3), datetime.date(1, 1, 1)]
exact = (decimal.Decimal("1.10"), fractions.Fraction(1, 3), 2**200, 1e-300, complex(1, -0.0), float("inf"))
path, ticks, word = pathlib.Path("a/b"), itertools.count(4), re.compile("a+", re.I)
raw, window = bytearray(100_000), None
window = memoryview(raw)[10:20]
text = "äöü\\U0001f600" * 10_000
sets = ({1, "a"}, frozenset([2]), range(3), slice(1, 2), b"x", None, ..., uuid.UUID(int=5))
space = types.SimpleNamespace(a=[1])
"""

CHECK = """\
assert both["one"] is both["two"] is xs and pair.b is xs and red is Color.RED, 1
n = 0
node = head
while node is not None: node = node.next; n += 1

assert n == 20_000 and type(head) is Node, 2
assert step() == 5 and read() == 5, 3
assert log("c") == 3 and handlers["log"] is log and handlers["double"](4) == 8 and handlers["part"]() == 4, 4
import datetime, decimal, fractions, pathlib, uuid
assert dates[0] == datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc), 5
assert dates[1:] == [datetime.timedelta(3), datetime.date(1, 1, 1)], 5
assert exact == (decimal.Decimal("1.10"), fractions.Fraction(1, 3), 2**200, 1e-300, complex(1, -0.0), float("inf")), 6
assert path == pathlib.Path("a/b") and next(ticks) == 4 and word.match("AA"), 7
raw[10] = 7
assert window[0] == 7 and len(raw) == 100_000 and text == "äöü\\U0001f600" * 10_000, 8
assert sets == ({1, "a"}, frozenset([2]), range(3), slice(1, 2), b"x", None, ..., uuid.UUID(int=5)), 9
assert space.a == [1], 10
import random as generator
assert generator.random() == 0.8444218515250481, 11
print("all well", sorted(name for name in globals() if "nbdag" in name))
"""

GROUPS = (
    "both xs pair red",
    "head",
    "step read",
    "log handlers",
    "dates exact path ticks word",
    "raw window text",
    "sets space",
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from nbdag.portable.randomness import get_states

    directory = tmp_path_factory.mktemp("restore")
    session = Session().run(DEFINITIONS, VALUES)
    state = random.getstate()
    random.seed(0)
    states = {"random": get_states()["random"]}
    random.setstate(state)
    definitions = replay(DEFINITIONS, "collections", "enum", "re", "Node", "Color", "Pair", "log")
    by_name = "Node Color Pair log"
    bundle_of(directory, session, definitions, *GROUPS, by_name=by_name, random_states=states)
    return directory / "bundle"


@pytest.mark.parametrize("version", PYTHONS)
def test_a_session_of_plain_python_restores_everywhere(version: str, bundle: Path, tmp_path: Path) -> None:
    done = restore(bundle, python=PYTHONS[version], then=CHECK, cwd=tmp_path)
    assert done.stdout.strip().lstrip("> ") == "all well []", done.stderr  # PyPy prompts with >>>>
    assert "restored 25 of 25" in done.stderr or "lost" not in done.stderr
    assert restore(bundle, "--verify", "--eager", python=PYTHONS[version], cwd=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_bundle_restores(bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert restore(copy).returncode == 0
    for path in [copy, copy / "blobs"]:
        path.chmod(0o755)


def test_names_land_where_percent_run_wants_them_and_nothing_else_changes(bundle: Path) -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "shell.user_ns.update(mine=1, annotations=2, sys=3, xs='old')\n"
        "before = dict(shell.user_ns)\n"
        f"shell.run_line_magic('run', '-i {bundle / 'restore.py'}')\n"
        "new = {k for k in shell.user_ns if k not in before}\n"
        "changed = {k for k, v in before.items() if shell.user_ns.get(k) is not v and not k.startswith('_')}\n"
        "print(sorted(new - {'__file__'}), sorted(changed), shell.user_ns['xs'], 'nbdag_restore' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", "import sys\n" + code], capture_output=True, text=True, check=False)
    names = sorted([*" ".join(GROUPS).split(), "collections", "enum", "re", "Node", "Color", "Pair"])
    names.remove("xs")
    assert done.stdout.strip().splitlines()[-1] == f"{names} ['xs'] [1] False", done.stderr


# ------------------------------------------------------------------------------------------------ options


def test_only_some_names_with_what_they_need(bundle: Path) -> None:
    done = restore(bundle, "--only", "red", then="print(red, 'head' in globals(), 'log' in globals())")
    assert done.stdout.strip() == "Color.RED False True", done.stderr  # one cell defines all of them
    assert restore(bundle, "--only", "nothing").returncode == 2


def test_json_list_dry_run_and_help(bundle: Path) -> None:
    document = json.loads(restore(bundle, "--json").stdout)
    assert document["status"] == 0 and document["lost"] == {} and "head" in document["loaded"]
    listed = restore(bundle, "--list").stdout.splitlines()
    assert [line.split()[1] for line in listed if line.split()[0] in ("head", "Node")] == ["replayed", "loaded"]
    assert "class Node" in restore(bundle, "--dry-run").stdout
    assert "--no-replay" in restore(bundle, "--help").stdout
    assert restore(bundle, "--nonsense").returncode == 2
    done = restore(bundle, "--no-replay")
    assert done.returncode == 1 and "--no-replay" in done.stderr and "Traceback" not in done.stderr


# ------------------------------------------------------------------------------------------------ replay


def test_replay_keeps_lines_output_and_the_way_back(tmp_path: Path) -> None:
    code = (
        "print('shown')\ndef f():\n    raise KeyError('k')\nimport logging, sys\nh = logging.StreamHandler(sys.stdout)"
    )
    bundle_of(tmp_path, Session(), replay(code, "f", "logging", "h", cell="cell 3", line=5))
    check = (
        "import inspect, traceback\n"
        "try:\n    f()\nexcept KeyError: text = traceback.format_exc()\n\n"
        "print('line 7' in text, 'cell 3' in text, 'raise KeyError' in text, inspect.getsource(f).count(chr(10)))\n"
        "h.emit(logging.makeLogRecord({'msg': 'later'}))\n"
    )
    done = restore(tmp_path / "bundle", then=check)
    assert done.stdout.split() == ["True", "True", "True", "2", "later"], done.stderr
    assert "shown" in restore(tmp_path / "bundle", "--verbose").stderr


@pytest.mark.parametrize("flag", ["-O", "-OO"])
def test_an_optimizing_python_replays_what_an_assertion_did(tmp_path: Path, flag: str) -> None:
    code = "g = iter('abc')\nassert next(g) == 'a'\ndef f():\n    'says'"
    bundle_of(tmp_path, Session(), replay(code, "g", "f"))
    done = restore(tmp_path / "bundle", then="print(next(g), f.__doc__)\n", flags=("-I", flag))
    assert done.stdout.split() == ["b", "says"], done.stderr


@pytest.mark.parametrize("shown", ["--list", "--dry-run", "--json"])
def test_a_stdout_that_knows_few_letters_or_is_gone_costs_nothing(tmp_path: Path, shown: str) -> None:
    bundle_of(tmp_path, Session(), replay("größe = 1", "größe"))
    script = [sys.executable, str(tmp_path / "bundle" / "restore.py"), shown]
    narrow = dict(os.environ, PYTHONIOENCODING="ascii:strict")
    done = subprocess.run(script, env=narrow, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "gr\\xf6" in done.stdout.replace("\\u00f6", "\\xf6"), done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(script, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_failed_step_costs_only_what_depends_on_it(tmp_path: Path) -> None:
    session = Session().run("kept = [1]")
    steps = [
        replay("a = 1\nb = a / 0", "a", "b", cell="cell 2", line=3),
        replay("def use(): return b", "use", cell="cell 3"),
        replay("c = use()", "c", cell="cell 4"),
        "kept",
        replay("d = kept + [2]", "d", cell="cell 5"),
        replay("b = 7", "b", cell="cell 6"),
        replay("e = 1 / 0", "e", cell="cell 7", may_fail=True),
    ]
    bundle_of(tmp_path, session, *steps)
    done = restore(tmp_path / "bundle", "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 1 and said["loaded"] == ["kept"] and sorted(said["replayed"]) == ["b", "d", "use"]
    assert said["lost"]["a"] == "cell 2, line 4: ZeroDivisionError: division by zero"
    assert said["lost"]["c"] == "cell 4 needs b, which is lost" and sorted(said["lost"]) == ["a", "c"]
    then = restore(tmp_path / "bundle", then="print(sorted(k for k in globals() if len(k) < 5))")
    assert then.stdout.strip() == "['b', 'd', 'kept', 'sys', 'use']" and "Traceback" not in then.stderr


def test_a_working_directory_that_was_deleted_is_no_hindrance(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run("kept = [1]"), replay("import os", "os"), "kept")
    gone = tmp_path / "gone"
    gone.mkdir()
    script = (
        "import os, subprocess, sys; os.rmdir(os.getcwd()); sys.exit(subprocess.call([sys.executable, sys.argv[1]]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "bundle" / "restore.py")]
    done = subprocess.run(command, cwd=gone, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "restored 2 of 2" in done.stderr + done.stdout, done.stderr


def test_random_numbers_input_files_and_dropped_names(tmp_path: Path) -> None:
    from nbdag.portable.randomness import get_states

    random.seed(5)
    states = (("random", get_states()["random"]),)
    drawn = random.random()
    (tmp_path / "in.csv").write_text("1,2")
    file = FileUse("in.csv", "/nowhere/in.csv", "r", 3, "")
    step = replay(
        "import random, os\nx = random.random()\ntext = open('in.csv').read()\ntemporary = 1",
        *("x", "text", "random", "os", "temporary"),
        random_state=states,
        files=(file,),
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    bundle_of(tmp_path, Session(), step, dropped=("temporary",))
    missing = restore(tmp_path / "bundle", cwd=empty)
    assert missing.returncode == 4 and "in.csv is missing (read by cell 1)" in missing.stderr
    bundle_of(tmp_path, Session(), step, dropped=("temporary",), carried=[("in.csv", tmp_path / "in.csv")])
    check = "print(x, text, 'temporary' in globals(), os.getcwd())"
    for cwd in (empty, tmp_path):
        done = restore(tmp_path / "bundle", cwd=cwd, then=check)
        assert done.stdout.strip() == f"{drawn} 1,2 False {cwd}", done.stderr
    (tmp_path / "in.csv").write_text("123")
    (tmp_path / "in.csv").write_text("1234")
    assert restore(tmp_path / "bundle", cwd=tmp_path).returncode == 4
    assert restore(tmp_path / "bundle", "--force", cwd=tmp_path).returncode == 0


def test_a_top_level_await_and_a_plot(tmp_path: Path) -> None:
    session = Session()
    code = "import asyncio\nasync def f(): return 4\nx = await f()"
    bundle_of(tmp_path, session, replay(code, "asyncio", "f", "x"))
    assert restore(tmp_path / "bundle", then="print(x)").stdout.strip() == "4"


def test_missing_packages_are_listed_at_once(tmp_path: Path) -> None:
    wanted = [("no-such-package", "1.2"), ("nor_this", "3")]
    bundle_of(tmp_path, Session().run("x = 1"), "x", requirements=wanted)
    done = restore(tmp_path / "bundle")
    assert done.returncode == 4 and "pip install no-such-package==1.2 nor_this==3" in done.stderr
    assert restore(tmp_path / "bundle", "--force").returncode == 0
    assert (tmp_path / "bundle" / "requirements.txt").read_text() == "no-such-package==1.2\nnor_this==3\n"


# ------------------------------------------------------------------------------------------------ falling back


@pytest.fixture
def gone_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A library that the session has and the target has not."""
    library = tmp_path / "site" / "gone_elsewhere.py"
    library.parent.mkdir()
    library.write_text("class Value:\n    def __init__(self, x): self.x = x\n")
    monkeypatch.syspath_prepend(library.parent)
    yield
    sys.modules.pop("gone_elsewhere", None)


MADE = "import gone_elsewhere\na = [1]\nv = gone_elsewhere.Value(a[0])\nb = 2"


def spare(code: str, *names: str, **options: Any) -> Fallbacks:
    """One statement that makes what the second load of a bundle stores."""
    return Fallbacks((replay(code, *names, cell="cell 9", **options),), {1: ((0, ()),)})


def restored_with(tmp_path: Path, fallbacks: Fallbacks, *arguments: str, then: str = "") -> tuple[dict[str, Any], str]:
    """What restore.py says as JSON, and what ``then`` prints, of a bundle whose v cannot be loaded."""
    steps = ["a", "v", replay("w = [v, 1]", "w", cell="cell 3"), "b"]
    bundle_of(tmp_path, Session().run(MADE), *steps, fallbacks=fallbacks)
    said = json.loads(restore(tmp_path / "bundle", "--json", *arguments).stdout)
    return said, restore(tmp_path / "bundle", *arguments, then=then).stdout.strip() if then else ""


@pytest.mark.usefixtures("gone_elsewhere")
def test_what_cannot_be_loaded_is_replayed_and_its_dependents_find_it(tmp_path: Path) -> None:
    # The slice uses a, which is there by then, and overwrites b, which is another one's name.
    fallbacks = spare("b = a[0] + 6\nv = [b]", "v")
    said, shown = restored_with(tmp_path, fallbacks, then="print(v, w, b)")
    assert said["status"] == 0 and said["lost"] == {} and sorted(said["replayed"]) == ["v", "w"]
    assert said["instead"] == {"v": "ModuleNotFoundError: No module named 'gone_elsewhere'"}
    assert shown == "[7] [[7], 1] 2"
    table = restore(tmp_path / "bundle").stderr
    assert "v: replayed (could not be loaded: ModuleNotFoundError: No module named 'gone_elsewhere')" in table


@pytest.mark.usefixtures("gone_elsewhere")
def test_a_name_that_the_slice_overwrites_is_put_back_for_its_later_statements(tmp_path: Path) -> None:
    steps = (replay("a = 'old'\nk = 3", "a", "k", cell="cell 1"), replay("v = [a[0], k]", "v", cell="cell 2"))
    said, shown = restored_with(
        tmp_path, Fallbacks(steps, {1: ((0, ()), (1, ("a",)))}), then="print(v, a, 'k' in globals())"
    )
    assert said["lost"] == {} and shown == "[1, 3] [1] False"
    said, shown = restored_with(tmp_path, Fallbacks(steps[:1], {1: ((0, ()), (-1, ("a",)))}), then="print(a)")
    assert shown == "[1]"


NO_FALLBACK = [
    ("no statements", Fallbacks(), "the bundle has no statements for that"),
    ("without any", Fallbacks((), {1: ((-1, ("v",)),)}), "replaying it failed: its statements did not make it"),
    ("forbidden", Fallbacks(closed={1: "it writes out.csv"}), "not replayed: it writes out.csv"),
    ("failing", spare("v = 1 / 0", "v"), "replaying it failed: cell 9, line 1: ZeroDivisionError: division by zero"),
    ("not making it", spare("u = 1", "v"), "replaying it failed: its statements did not make it"),
    (
        "without its file",
        spare("v = open('in.csv').read()", "v", files=(FileUse("in.csv", "/nowhere/in.csv", "r", 3),)),
        "replaying it failed: the input file in.csv is missing",
    ),
]  # fmt: skip


@pytest.mark.usefixtures("gone_elsewhere")
@pytest.mark.parametrize(("sentence", "fallbacks", "reason"), NO_FALLBACK, ids=[row[0] for row in NO_FALLBACK])
def test_where_replay_does_not_help_it_is_lost_with_what_depends_on_it(
    sentence: str, fallbacks: Fallbacks, reason: str, tmp_path: Path
) -> None:
    said, shown = restored_with(tmp_path, fallbacks, then="print(sorted(n for n in globals() if len(n) == 1))")
    assert said["status"] == 1 and said["instead"] == {} and shown == "['a', 'b']"
    assert said["lost"]["v"].endswith(reason) and "gone_elsewhere" in said["lost"]["v"]
    assert said["lost"]["w"] == "cell 3 needs v, which is lost"


@pytest.mark.usefixtures("gone_elsewhere")
def test_no_code_runs_where_none_was_to_run_and_doubt_is_said(tmp_path: Path) -> None:
    fallbacks = Fallbacks(
        spare("v = 5", "v").steps, {1: ((0, ()),)}, {1: "it depends on the moment it runs (time.time)"}
    )
    said, _ = restored_with(tmp_path, fallbacks, "--no-replay")
    assert "not replayed (--no-replay)" in said["lost"]["v"]
    said, _ = restored_with(tmp_path, fallbacks)
    assert said["instead"]["v"].endswith(", and may differ: it depends on the moment it runs (time.time)")


@pytest.mark.usefixtures("gone_elsewhere")
def test_a_random_slice_draws_what_the_session_drew_and_leaves_the_stream_alone(tmp_path: Path) -> None:
    from nbdag.portable.randomness import get_states

    random.seed(5)
    state = (("random", get_states()["random"]),)
    drawn, final = random.random(), get_states()["random"]
    following = random.random()
    fallbacks = spare("import random\nv = random.random()", "v", random_state=state)
    bundle_of(tmp_path, Session().run(MADE), "a", "v", fallbacks=fallbacks, random_states={"random": final})
    then = "print(v, 'random' in globals()); import random; print(random.random())"
    assert restore(tmp_path / "bundle", then=then).stdout.split() == [str(drawn), "False", str(following)]


@pytest.mark.usefixtures("gone_elsewhere")
def test_altered_fallback_code_is_refused(tmp_path: Path) -> None:
    bundle_of(tmp_path, Session().run(MADE), "a", "v", fallbacks=spare("v = 5" + "#" * 70_000, "v"))
    assert json.loads(restore(tmp_path / "bundle", "--json").stdout)["lost"] == {}
    blob = next(path for path in (tmp_path / "bundle" / "blobs").iterdir() if b"v = 5" in path.read_bytes())
    blob.write_bytes(blob.read_bytes().replace(b"v = 5", b"v = 6"))
    assert restore(tmp_path / "bundle").returncode == 5


# ------------------------------------------------------------------------------------------------ damage


@pytest.fixture
def small_bundle(tmp_path: Path) -> Path:
    bundle_of(
        tmp_path, Session().run("x = [1]; big = bytearray(range(256)) * 300; text = 'a' * 70_000"), "x", "big", "text"
    )
    return tmp_path / "bundle"


def in_this_process(bundle: Path) -> int:
    """The exit status of restore.py, without a new process for each of hundreds of damages."""
    code = compile((bundle / "restore.py").read_text(), str(bundle / "restore.py"), "exec")
    namespace = {"__name__": "__main__"}
    status: list[int] = []
    text = (
        (bundle / "restore.py").read_text().replace("runtime.leave(status, namespace)", "namespace['_status'](status)")
    )
    code = compile(text, str(bundle / "restore.py"), "exec")
    namespace["_status"] = status.append  # type: ignore[assignment]
    exec(code, namespace)
    return status[0]


def test_every_truncation_and_flipped_byte_of_the_data_is_refused(
    small_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small_bundle / "data.msgpack"
    whole = path.read_bytes()
    assert in_this_process(small_bundle) == 0
    step = max(1, len(whole) // 40)
    for length in range(0, len(whole), step):
        path.write_bytes(whole[:length])
        assert in_this_process(small_bundle) == 5
    for place in range(0, len(whole), step):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert in_this_process(small_bundle) == 5
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("sha256") >= 80


def test_damaged_blobs_are_refused(small_bundle: Path) -> None:
    blobs = sorted((small_bundle / "blobs").iterdir())
    assert blobs
    for blob in blobs:  # both are pickles: large strings stand in them
        whole = blob.read_bytes()
        for content in (whole[:-1], whole + b"x", bytes([whole[0] ^ 1]) + whole[1:], b""):
            blob.unlink()
            blob.write_bytes(content)
            done = restore(small_bundle)
            assert done.returncode == 5 and done.stderr.count("\n") == 1, done.stderr
        blob.unlink()
        assert restore(small_bundle).returncode == 5
        blob.write_bytes(whole)
    assert restore(small_bundle).returncode == 0


def test_a_mixed_up_bundle_is_refused(small_bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    bundle_of(other, Session().run("x = [2]"), "x")
    shutil.copy(other / "bundle" / "data.msgpack", small_bundle)
    done = restore(small_bundle)
    assert done.returncode == 5 and "another restore.py" in done.stderr
    os.unlink(small_bundle / "data.msgpack")
    assert restore(small_bundle).returncode == 5
    prompt = restore(small_bundle, then="print('x' in globals())")
    assert prompt.stdout.strip() == "False" and "Traceback" not in prompt.stderr
