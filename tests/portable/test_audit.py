"""The audit hook hears what a statement asks for while it is on, belongs to the process once, and never disturbs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nbdag.portable.audit import Heard, Listener, install_hook, is_write, sort_out


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    listener.switch_on()
    yield listener
    listener.switch_off()


def heard_of(listener: Listener, work: Any) -> tuple[list[dict[str, Any]], list[str]]:
    mark = listener.mark()
    work()
    heard, read = listener.since(mark)
    return sort_out(heard, read, listener)


def test_there_is_one_hook_however_many_listeners() -> None:
    assert install_hook() is install_hook() is Listener().holder


OPENINGS = [
    ("open for reading", lambda path: open(path).close(), "r"),
    ("open for writing", lambda path: open(path, "w").close(), "w"),
    ("append", lambda path: open(path, "a").close(), "w"),
    ("read and write", lambda path: open(path, "r+").close(), "w"),
    ("a path object", lambda path: Path(path).read_bytes(), "r"),
    ("bytes", lambda path: open(os.fsencode(path)).close(), "r"),
    ("os.open", lambda path: os.close(os.open(path, os.O_RDONLY)), "r"),
    ("os.open for writing", lambda path: os.close(os.open(path, os.O_WRONLY)), "w"),
]


@pytest.mark.parametrize(("sentence", "work", "mode"), OPENINGS, ids=[row[0] for row in OPENINGS])
def test_a_file_is_heard_of(listener: Listener, tmp_path: Path, sentence: str, work: Any, mode: str) -> None:
    path = tmp_path / "file.txt"
    path.write_text("abc")
    files, effects = heard_of(listener, lambda: work(str(path)))
    assert [(use["path"], use["absolute"], use["mode"]) for use in files] == [(str(path), str(path), mode)]
    assert effects == ["file-read" if mode == "r" else "file-write"]
    assert (files[0]["digest"] != "") == (mode == "r")


def test_a_relative_path_is_kept_as_spelled(listener: Listener, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("abc")
    files, _ = heard_of(listener, lambda: open("./file.txt").close())
    assert (files[0]["path"], files[0]["absolute"]) == ("./file.txt", str(tmp_path / "file.txt"))


def fails_to_open(path: str) -> None:
    with pytest.raises(OSError):
        Path(path).read_bytes()


UNHEARD = [
    ("a module", lambda path: __import__("wave")),
    ("a device", lambda path: open(os.devnull).close()),
    ("/proc", lambda path: os.path.exists("/proc/self/stat") and open("/proc/self/stat").close()),
    ("a file of the library", lambda path: open(os.__file__).close()),
    ("a file that is not there", lambda path: fails_to_open(path + "nowhere")),
    ("a descriptor", lambda path: os.fdopen(os.dup(1), "w").close()),
    ("looking whether it is there", lambda path: os.path.exists(path)),
]


@pytest.mark.parametrize(("sentence", "work"), UNHEARD, ids=[row[0] for row in UNHEARD])
def test_no_file_of_the_session_is(listener: Listener, tmp_path: Path, sentence: str, work: Any) -> None:
    assert heard_of(listener, lambda: work(str(tmp_path / "x")))[0] == []


def test_weights_of_a_model_are_a_file_of_the_session(listener: Listener, tmp_path: Path) -> None:
    # torch.load("model.pth"): site-packages has files of that ending, too
    (tmp_path / "model.pth").write_bytes(b"abc")
    files, effects = heard_of(listener, lambda: (tmp_path / "model.pth").read_bytes())
    assert ([Path(use["path"]).name for use in files], effects) == (["model.pth"], ["file-read"])


def test_what_imports_read_is_explained_and_a_hidden_read_beside_them_is_not(
    listener: Listener, tmp_path: Path, monkeypatch: Any
) -> None:
    from nbdag.portable import audit

    monkeypatch.setattr(audit, "IMPORTING_LIMIT", 300_000)
    compiled = tmp_path / "library.pyc"
    compiled.write_bytes(b"a" * 400_000)
    heard: list[Heard] = [(audit.LIBRARY_READ, (str(compiled),))]
    assert sort_out(heard, 400_000, listener) == ([], [])
    assert sort_out(heard, 600_000, listener) == ([], [])
    assert sort_out(heard, 800_000, listener) == ([], ["file-read"])
    # One that is not there explains nothing, and lets nothing pass.
    assert sort_out([(audit.LIBRARY_READ, (str(tmp_path / "x.so"),))], 100_000, listener) == ([], ["file-read"])


def test_nothing_is_heard_while_it_is_off_or_deaf(tmp_path: Path, listener: Listener) -> None:
    path = tmp_path / "x"
    with listener.deaf():
        path.write_text("a")
    assert listener.heard == []
    listener.switch_off()
    path.write_text("a")
    assert listener.heard == []


def test_other_threads_are_heard_while_ours_is_deaf(listener: Listener, tmp_path: Path) -> None:
    path = tmp_path / "x"
    with listener.deaf():
        thread = threading.Thread(target=path.write_text, args=("a",))
        thread.start()
        thread.join()
    assert [event for event, _ in listener.heard if event == "open"] == ["open"]


def test_statements_inside_statements_each_hear_their_own(listener: Listener, tmp_path: Path) -> None:
    outer = listener.mark()
    (tmp_path / "a").write_text("a")
    inner = listener.mark()
    (tmp_path / "b").write_text("b")
    for mark, names in ((inner, ["b"]), (outer, ["a", "b"])):
        heard, read = listener.since(mark)
        assert [Path(use["path"]).name for use in sort_out(heard, read, listener)[0]] == names


def test_a_large_file_is_known_by_its_size(listener: Listener, tmp_path: Path, monkeypatch: Any) -> None:
    from nbdag.portable import audit

    monkeypatch.setattr(audit, "DIGEST_LIMIT", 2)
    (tmp_path / "x").write_text("abc")
    files, _ = heard_of(listener, lambda: (tmp_path / "x").read_text())
    assert (files[0]["size"], files[0]["digest"]) == (3, "")


READ = [(0, []), (10_000, []), (100_000, ["file-read"])]


@pytest.mark.parametrize(("read", "effects"), READ)
def test_bytes_that_no_file_explains_are_a_read(listener: Listener, read: int, effects: list[str]) -> None:
    heard: list[Heard] = []
    assert sort_out(heard, read, listener) == ([], effects)


def quiet_mark(listener: Listener) -> tuple[int, int]:
    """A mark as the recorder takes it: its own look at the count of bytes is not heard."""
    with listener.deaf():
        return listener.mark()


def effects_since(listener: Listener, mark: tuple[int, int]) -> list[str]:
    with listener.deaf():
        heard, read = listener.since(mark)
        return sort_out(heard, read, listener)[1]


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="only Linux counts bytes")
def test_reading_on_in_a_file_that_is_open_is_explained_and_a_hidden_read_beside_it_is_not(
    listener: Listener, tmp_path: Path
) -> None:
    path, hidden = tmp_path / "file.txt", tmp_path / "hidden"
    path.write_text("x" * 400_000)
    hidden.write_text("x" * 400_000)
    mark = quiet_mark(listener)
    with open(path) as file:
        assert effects_since(listener, mark) == ["file-read"]
        mark = quiet_mark(listener)
        file.read()
        assert effects_since(listener, mark) == []
        for _ in range(2):
            mark = quiet_mark(listener)
            with listener.deaf():
                hidden.read_text()  # stands for C++ code, which raises no event
            assert effects_since(listener, mark) == ["file-read"]


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="only Linux counts bytes")
def test_drawing_text_again_reads_fonts_and_no_file_of_the_session(listener: Listener) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    for _ in range(3):  # the first one opens the fonts
        mark = quiet_mark(listener)
        figure = pyplot.figure()
        figure.text(0.5, 0.5, "some words of a title " * 40)  # 40 MB in matplotlib 3.11
        figure.canvas.draw()
        pyplot.close(figure)
        assert effects_since(listener, mark) == []


def test_a_file_that_is_not_there_was_not_read(listener: Listener) -> None:
    mark = quiet_mark(listener)
    fails_to_open("/no/such/file")
    assert effects_since(listener, mark) == []


MODES = [("r", 0, False), ("rb", 0, False), ("w", 0, True), ("x", 0, True), ("a", 0, True), ("r+b", 0, True)]


@pytest.mark.parametrize(("mode", "flags", "write"), MODES)
def test_any_way_of_writing_is_writing(mode: str, flags: int, write: bool) -> None:
    assert is_write(mode, flags) is write


def test_an_exotic_argument_raises_nothing(listener: Listener) -> None:
    class Path:
        def __fspath__(self) -> str:
            raise ValueError

    for argument in (Path(), 5.0, object()):
        sys.audit("open", argument, "r", 0)
        sys.audit("open")
        sys.audit("socket.connect", argument)
        sys.audit("sqlite3.connect", argument)
    assert [event for event, _ in listener.heard] == []


def test_a_process_is_heard_of(listener: Listener) -> None:
    assert "process" in heard_of(listener, lambda: subprocess.run([sys.executable, "-c", ""], check=True))[1]
