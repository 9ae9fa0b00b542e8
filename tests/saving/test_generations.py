"""Attach and autosave in the kernels that users have: ipykernel 6 and 7, on the oldest and newest Python there is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.interpreters import interpreters
from tests.portable.test_kernel_generations import GENERATIONS, MATRIX, environments, python_with
from tests.saving.kernels import SavingKernel, restored

__all__ = ["environments"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a session is copied by fork on Linux only"),
]


def ends(generation: str) -> list[str]:
    """The oldest and the newest Python of this machine that has this ipykernel."""
    fit = [version for version, one in MATRIX if one == generation]
    fit.sort(key=lambda version: [int(part) for part in version.split()[-1].split(".") if part.isdigit()])
    return sorted({fit[0], fit[-1]}) if fit else []


CASES = [(version, generation) for generation in GENERATIONS for version in ends(generation)]


@pytest.mark.parametrize(("version", "generation"), CASES, ids=[" ".join(case) for case in CASES])
def test_a_session_saves_itself(version: str, generation: str, environments: Path, tmp_path: Path) -> None:
    python = python_with(GENERATIONS[generation], version, environments)
    assert interpreters()[version]
    kernel = SavingKernel(tmp_path, python=python)
    try:
        kernel.cell("import random, warnings\nrandom.seed(1); a = [random.random()]")
        kernel.cell("squares = (i * i for i in range(9)); one = [next(squares), next(squares)]")
        kernel.begin()
        kernel.wait_until_saved()
        kernel.cell("a.append(random.random())")
        status = kernel.wait_until_saved()
        assert status["last"]["lost"] == [] and status["last"]["proven"] and len(status["pauses"]) >= 2
        assert "Deprecation" not in kernel.cell("b = 1")  # Python 3.12 warns of a fork beside threads
        state = kernel.expression("__import__('random').getstate()[1][:3]")
        kernel.wait_until_saved()
        kernel.kill()
    finally:
        kernel.end()
    answer, _ = restored(kernel.saves, "[len(a), next(squares), random.getstate()[1][:3]]", python)
    assert answer == [2, 4, list(state)]
