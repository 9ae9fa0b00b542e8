"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdag.cli import run
from nbdag.commands.options import connection_file_of


def test_a_kernel_is_named_by_its_connection_file_or_not_at_all() -> None:
    assert connection_file_of("") is None
    assert connection_file_of("kernel-1234.json") == Path("kernel-1234.json")
    assert connection_file_of("runtime/kernel") == Path("runtime/kernel")


@pytest.mark.parametrize("command", [["plan"], ["compile", "--out", "bundle"]])
def test_an_id_is_looked_up_among_the_kernels_that_run(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    assert run([*command, "--kernel", "3f2a"]) == 2
    said = capsys.readouterr().err
    assert "no kernel '3f2a' runs here" in said and "nbdag kernels" in said
