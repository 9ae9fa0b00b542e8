"""What a value that is being unpickled sees around it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from nbdag.portable.decode import FRAMES, in_frames_of


@pytest.mark.parametrize("above", range(1, FRAMES + 1))
def test_a_library_finds_the_session_in_the_frames_that_call_it(above: int) -> None:
    def look_up() -> Any:
        return eval("double(3)", sys._getframe(above).f_globals)

    namespace = {"double": lambda x: 2 * x}
    assert in_frames_of(namespace, look_up, FRAMES) == 6
    assert set(namespace) <= {"double", "__builtins__"}


def test_what_is_raised_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        in_frames_of({}, lambda: 1 / 0, FRAMES)
