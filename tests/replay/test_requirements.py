"""What is installed is looked up while the session is surveyed, in the kernel's own interpreter."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

from nbdag.replay.requirements import Installed


def test_modules_are_named_by_the_distributions_that_bring_them() -> None:
    with Installed(sys.executable) as installed:
        assert installed.distributions_of(["pytest", "os", "no_such_module"]) == (("pytest", version("pytest")),)
        assert installed.distributions_of(["_pytest", "numpy"]) == (
            ("numpy", version("numpy")),
            ("pytest", version("pytest")),
        )


def test_the_same_question_is_asked_once() -> None:
    with Installed(sys.executable) as installed:
        answer = installed.distributions_of(["pytest"])
        installed._command[0] = "no such interpreter"
        assert installed.distributions_of(["pytest"]) == answer
        assert installed.distributions_of(["numpy"]) == ()


def test_an_interpreter_that_is_gone_has_nothing(tmp_path: Path) -> None:
    with Installed(str(tmp_path / "python")) as installed:
        assert installed.distributions_of(["pytest"]) == ()


def test_who_is_never_asked_does_not_stay() -> None:
    with Installed(sys.executable) as installed:
        process = installed._process
    assert process is not None and process.poll() is not None
