"""benchmarks/bench.py: rows that survive a kill, an order that fits a budget, a report that says what the rows say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import bench
from benchmarks.peers.imports import import_statements
from benchmarks.peers.measure import clear_scratch
from benchmarks.peers.measured import sessions_of
from benchmarks.peers.others import overhead, overhead_goals, planning
from benchmarks.peers.pictures import lines_picture
from benchmarks.peers.readme import BEGIN, END
from benchmarks.peers.recording import rows as recorded_rows
from benchmarks.peers.report import write_report
from benchmarks.peers.results import append, rows_of
from benchmarks.peers.tables import floor, proportions, summary
from benchmarks.peers.workloads import STATES, scaled
from benchmarks.schedule import Task, next_task, tasks

ROOT = Path(__file__).resolve().parent.parent
MACHINE = {
    "platform": "Linux",
    "cpus": 2,
    "python": "3.11",
    "date": "2026-01-01",
    "versions": {"dill": "0.4"},
    "load": 0.1,
}


def row(system: str, restore: float, **more: Any) -> dict[str, Any]:
    """A measure of the session `one`, which takes 10 s to run."""
    return {
        "system": system, "kind": "corpus", "workload": "one", "run_seconds": 10.0, "save_seconds": 1.0, "bytes": 1000,
        "restore_seconds": restore, "correct": True, "restore_peak_mb": 100,
    } | more  # fmt: skip


class TestRows:
    def test_a_line_that_a_kill_cut_off_is_left_out_and_what_comes_after_it_is_not(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.jsonl"
        append(file, {"a": 1})
        with file.open("a") as out:
            out.write('{"system": "nbd')
        append(file, {"b": 2})
        assert list(rows_of(file)) == [{"a": 1}, {"b": 2}]

    def test_no_file_is_no_rows(self, tmp_path: Path) -> None:
        assert list(rows_of(tmp_path / "absent.jsonl")) == []

    def test_no_directory_of_the_machine_gets_into_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.jsonl"
        append(file, {"problem": "OSError: /tmp/nbdag-x/work/data.csv is not there", "wrong": ["/home/me/a.py -> b"]})
        assert list(rows_of(file)) == [{"problem": "OSError: data.csv is not there", "wrong": ["a.py -> b"]}]

    def test_a_row_keeps_what_the_report_needs_and_no_more_digits_than_a_clock_has(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.jsonl"
        append(
            file, row("dill", 1.23456789, wrong=[], told_loss="", missing=(), round=0, send_seconds={"1 Gbit/s": 1 / 3})
        )
        (said,) = rows_of(file)
        assert said == row("dill", 1.235) | {"send_seconds": {"1 Gbit/s": 0.3333}}

    def test_what_came_back_wrong_in_a_later_round_only_is_told_as_it_was(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.jsonl"
        append(file, row("dill", 1.0))
        append(file, row("dill", 3.0, round=1, correct=False, wrong=["x"], told_loss="lost x"))
        found = sessions_of(rows_of(file))["one"]["dill"]
        assert (found["correct"], found["wrong"], found["told_loss"]) == (False, ["x"], "lost x")
        assert found["restore_seconds"] == 2.0

    def test_the_note_of_a_run_is_kept_whole(self, tmp_path: Path) -> None:
        append(tmp_path / "rows.jsonl", {"machine": {}, "note": "x" * 900})
        assert len(next(iter(rows_of(tmp_path / "rows.jsonl")))["note"]) == 900


class TestOrder:
    @pytest.fixture
    def sessions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "benchmarks.schedule._sessions", lambda: [("corpus", "a"), ("sizes", "b"), ("sessions", "c")]
        )

    @pytest.mark.usefixtures("sessions")
    def test_every_session_once_then_the_cost_of_recording_then_further_rounds(self, tmp_path: Path) -> None:
        order = [(t.part, t.turn) for t in tasks(("peers", "overhead", "planner", "memory"), 2, tmp_path, tmp_path)]
        assert order[:2] == [("planner", 0), ("memory", 0)]
        assert order[2:5] == [("peers", 0)] * 3
        assert order[5][0] == "overhead"
        assert order.index(("peers", 1)) > order.index(("overhead", 0))

    @pytest.mark.usefixtures("sessions")
    def test_what_is_measured_is_not_measured_again(self, tmp_path: Path) -> None:
        for number in range(8):
            append(tmp_path / "peers.jsonl", {"kind": "sessions", "workload": "c", "system": str(number), "took": 2.0})
        found = tasks(("peers",), 2, tmp_path / "none", tmp_path)
        assert [(t.name, t.turn) for t in found] == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 1)]
        assert next(t.seconds for t in found if t.name == "c") == pytest.approx(16.0)

    def test_what_would_end_too_late_is_passed_over(self) -> None:
        long, short = Task("peers", "corpus", "long", 0, 100.0), Task("peers", "corpus", "short", 0, 10.0)
        assert next_task([long, short], 50.0) is short
        assert next_task([long, short], None) is long
        assert next_task([long, short], 50.0, slower=10.0) is None

    def test_a_run_of_other_code_is_put_aside_and_one_of_the_same_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(bench, "described_machine", lambda folder: dict(MACHINE))
        code = ["one"]
        monkeypatch.setattr(bench, "digest_of_nbdag", lambda folder: code[0])
        work = tmp_path / "bench"

        def begin(*, fresh: bool = False) -> int:
            bench.begin(work, tmp_path, {}, "", fresh=fresh)
            return sum("system" in line for line in rows_of(work / "peers.jsonl"))

        assert begin() == 0
        append(work / "peers.jsonl", row("dill", 1.0))
        assert begin() == 1
        assert "going on with the run of 2026-01-01, which has 1 measures" in capsys.readouterr().out
        code[0] = "two"
        assert begin() == 0
        assert "nbdag is another one by now" in capsys.readouterr().out
        append(work / "peers.jsonl", row("dill", 1.0))
        append(work / "peers.jsonl", {"ended": "now"})
        assert begin() == 0

    def test_what_a_killed_measure_left_is_removed_and_what_a_running_one_needs_is_not(self, tmp_path: Path) -> None:
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        for name in (f"nbdag-peers-{ended.pid}-x", f"nbdag-peers-{os.getpid()}-x", "nbdag-peers-other"):
            tmp_path.joinpath(name, "work").mkdir(parents=True)
        clear_scratch(tmp_path)
        assert {left.name for left in tmp_path.iterdir()} == {f"nbdag-peers-{os.getpid()}-x", "nbdag-peers-other"}

    def test_an_unknown_part_is_named(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            bench.main(["--parts", "peers,plots"])
        assert "no part is called plots: there are peers, overhead, planner, memory" in capsys.readouterr().err

    def test_a_part_alone_keeps_what_was_measured_of_the_others(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bench, "described_machine", lambda folder: dict(MACHINE))
        monkeypatch.setattr(bench, "digest_of_nbdag", lambda folder: "one")
        made = 'import sys; open(sys.argv[1], \'a\').write(\'{"shape": "flat", "cpu_seconds": {"100": 0.1}}\\n\')'
        monkeypatch.setattr(
            bench,
            "command",
            lambda task, options: [sys.executable, "-c", made, str(options.work / f"{task.part}.jsonl")],
        )
        results, words = tmp_path / "results", ["--parts", "planner", "--installed", "--work", str(tmp_path / "work")]
        assert bench.main([*words, "--results", str(results)]) == 1  # there is nothing of the peers to report on
        append(results / "peers.jsonl", {"machine": MACHINE})
        append(results / "peers.jsonl", row("dill", 1.0))
        assert bench.main([*words, "--results", str(results)]) == 0
        page = (results / "docs" / "peers.md").read_text(encoding="utf-8")
        assert "| dill | 1 of 1 |" in page
        assert "| flat | 100 ms |" in page


class TestFloor:
    def test_imports_are_those_that_run_with_the_cells(self) -> None:
        cells = (
            "%matplotlib inline\nimport numpy as np\nfrom __future__ import annotations",
            "def f():\n    import json\ntry:\n    import pandas\nexcept ImportError:\n    pass",
            "%%bash\nimport nothing",
            "this is no Python",
            "import numpy as np; from math import *",
        )
        assert import_statements(cells) == ["import numpy as np", "import pandas", "from math import *"]

    def test_each_system_is_held_against_the_imports_of_its_own_environment(self) -> None:
        sessions = sessions_of([
            row("imports", 2.0), row("imports (kishu)", 4.0), row("nbdag", 3.0), row("kishu", 5.0), row("dill", 4.0),
        ])  # fmt: skip
        said = floor(sessions, ["nbdag", "kishu", "dill"])
        assert "| nbdag | 1 | 1.50 (1.50-1.50) | 0.67 (0.67-0.67) | 1.00 (1.00-1.00) |" in said
        assert "| kishu | 1 | 1.25 (1.25-1.25) |" in said
        assert "On 1 of 1 sessions that both restored correctly dill's time is at least twice that of the" in said
        assert "nbdag took half or less on 0" in said


class TestReport:
    def test_the_page_the_pictures_and_the_readme_say_what_the_rows_say(self, tmp_path: Path) -> None:
        results, root = tmp_path / "results", tmp_path / "root"
        root.mkdir()
        root.joinpath("README.md").write_text(f"before\n{BEGIN}\nstale figures\n{END}\nafter\n", encoding="utf-8")
        append(results / "peers.jsonl", {"machine": MACHINE, "note": "A note."})
        for made in (
            row("nbdag", 3.0, send_seconds={"50 Mbit/s": 0.1}), row("dill", 6.0), row("imports", 2.0),
            row("re-running", 10.0),
            row("nbdag", 3.0, workload="two", correct=False, wrong=["model"]), row("dill", 1.0, workload="two"),
            row("nbdag", 3.0, kind="sizes", workload="one x10"), row("nbdag", 3.0, kind="sessions", workload="s"),
        ):  # fmt: skip
            append(results / "peers.jsonl", made)
        append(results / "planner.jsonl", {"shape": "growing", "cpu_seconds": {"100": 0.01, "10000": 0.2}})
        append(results / "memory.jsonl", {"memory": {"nbdag": ["all read", "killed"]}, "limits_mb": [600, 150]})
        append(results / "overhead.jsonl", {"case": "one", "date": "2026-01-01", "modes": {
            "plain": {"cpu": 1.0, "peak": 100}, "nbdag": {"cpu": 1.1, "peak": 101, "hooks": 0.05},
            "kishu": {"cpu": 2.0, "peak": 150},
        }})  # fmt: skip
        write_report(results, root)
        page = (root / "docs" / "peers.md").read_text(encoding="utf-8")
        for told in (
            "A note.", "| nbdag | 1 of 2 | 0 | 1 | 0 |", "| correct on every notebook | 1 of 2 | **missed** |",
            "## What recording costs", "| one | 1.00 s | 5.0% | 1.10 (1.10-1.10) | 1.01 (1.01-1.01) |",
            "| recording costs less CPU time than with the other recorders | not on 0 of 1 | met |",
            "| growing | 10 ms | 200 ms |", "| nbdag | all read | killed |", "| one | x1 | 10.0 s |", "| one | x10 |",
        ):  # fmt: skip
            assert told in page
        names = {found.name for found in (root / "docs" / "pictures").iterdir()}
        assert names >= {"peers-corpus.svg", "peers-corpus-bandwidth.svg", "peers-planning.svg"}
        for name in names:
            ElementTree.parse(root / "docs" / "pictures" / name)
            assert name in page
        readme = (root / "README.md").read_text(encoding="utf-8")
        assert readme.startswith("before\n")
        assert readme.endswith("after\n")
        assert "stale" not in readme
        assert "What the judge holds against nbdag: two (`model`)." in readme

    def test_without_results_it_says_what_makes_them(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="run make bench first"):
            write_report(tmp_path, tmp_path)

    def test_a_peer_that_was_wrong_is_no_measure_for_anything(self) -> None:
        sessions = sessions_of([row("nbdag", 2.0), row("dill", 1.0, correct=False), row("cloudpickle", 4.0)])
        assert "| to restore | the best correct peer | 1 | 0.50 |" in proportions(sessions)
        assert "| dill | 0 of 1 | 0 | 1 | 0 | - | - | - | - |" in summary(sessions, ["dill"])

    def test_a_file_of_the_overhead_benchmark_becomes_a_row_for_each_case_and_round(self) -> None:
        said = {"cpu": 1.0, "wall": 2.0, "peak": 3, "hooks": 0.1}
        found = {
            "machine": {"date": "2026-01-01"},
            "cases": {"loop": [{"plain": said}, {"plain": said, "kishu": said}]},
        }
        first, second = recorded_rows(found)
        assert (first["case"], first["round"], second["round"]) == ("loop", 0, 1)
        assert second["modes"]["kishu"] == {"cpu": 1.0, "peak": 3, "hooks": 0.1}

    def test_nothing_measured_is_no_section(self) -> None:
        assert overhead([], []) == ""
        assert overhead_goals([], []) == []
        assert planning([]) == ("", "")

    def test_names_in_pictures_are_text(self) -> None:
        ElementTree.fromstring(lines_picture("a < b", {"<&>": [(0.0, 1.0), (1.0, 100.0)]}, below="x"))

    def test_the_results_that_are_kept_are_small_and_name_no_directory(self) -> None:
        files = list((ROOT / "benchmarks" / "results").glob("*.jsonl"))
        assert sum(file.stat().st_size for file in files) < 500_000
        for file in files:
            text = file.read_text(encoding="utf-8")
            assert not any(word in text for word in ("/tmp/", "/home/", "/root/", os.path.expanduser("~") + "/"))
            assert all(json.loads(line) for line in text.splitlines())


class TestSessions:
    def test_a_notebook_grows_in_the_one_place_that_decides(self) -> None:
        cells = ("import x", "n = 50\ny = draw(n)")
        assert scaled(cells, "n = 50", "n = 50 * {factor}", 10) == ("import x", "n = 50 * 10\ny = draw(n)")

    @pytest.mark.parametrize("cells", [("n = 50; n = 50",), ("m = 50",)])
    def test_a_notebook_that_has_it_twice_or_not_at_all_is_refused(self, cells: tuple[str, ...]) -> None:
        with pytest.raises(ValueError, match="exactly one place"):
            scaled(cells, "n = 50", "n = 500", 10)

    @pytest.mark.parametrize("name", STATES)
    def test_states_are_cells_that_compile(self, name: str) -> None:
        for cell in STATES[name]:
            compile(cell, name, "exec")
