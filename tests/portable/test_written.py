"""What a session took away from its functions and classes, or wrote over, is so after they are defined again."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdag.portable.codecs.definitions import patch_of
from tests.portable.session import Session

DEFINED = """
import numpy as np
def f(x, y: int, *rest: str, key: np.ndarray = None, __odd: int = 1) -> list: return x
class C:
    kept = 1
    gone = 2
    _made = list()
    def method(self, n: int): return n
    class Inner:
        part = 3
class Slim:
    limit = 5
"""
CHANGES = {
    "one added": "f.__annotations__['x'] = int",
    "one written over": "f.__annotations__['y'] = str",
    "one as text": "f.__annotations__['rest'] = 'int'; f.__annotations__['x'] = 'Model'",
    "the result": "f.__annotations__['return'] = None",
    "taken away": "del f.__annotations__['y']",
    "all": "f.__annotations__.clear()",
    "of a method": "C.method.__annotations__['n'] = float",
    "an attribute": "del C.gone",
    "a method": "del C.method",
    "a class inside": "del C.Inner",
    "inside of one": "del C.Inner.part",
    "of a class without methods": "del Slim.limit",
}
ASK = """said = (f.__annotations__, vars(C).keys() - {'__dict__', '__weakref__'}, vars(Slim).get('limit'),
    getattr(C, 'method', f).__annotations__, vars(getattr(C, 'Inner', C)).get('part'))"""


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_what_changed_since_the_definition_is_so_again(change: str, tmp_path: Path) -> None:
    session = Session().run(DEFINED, change, ASK)
    restored = session.move(tmp_path, "f C Slim", DEFINED, by_name="f C Slim").run(ASK)
    assert restored["said"] == session["said"] != Session().run(DEFINED, ASK)["said"]


UNCHANGED = [
    "from __future__ import annotations\ndef f(x: int, y: list[str]) -> None: return x",
    "import numpy as np\ndef f(x: np.ndarray, y: 'int', *, z: dict) -> None: return x",
    "Number = float\ndef f(x: Number) -> str: return x",
    "import functools\ndef g(x: int): pass\n@functools.wraps(g)\ndef f(*a: str, **k: str): return g(*a)",
    "def f(x): return x",
    "from dataclasses import dataclass, field\n@dataclass\nclass f:\n    xs: list = field(default_factory=list)",
    "from typing import NamedTuple\nclass f(NamedTuple):\n    a: int = 3",
    "import enum\nclass f(enum.Enum):\n    a = 1",
    "class f:\n    __slots__ = ('a',)\n    x: int\n    del_me = 1\n    def __init__(self): pass",
]


@pytest.mark.parametrize("code", UNCHANGED)
def test_nothing_is_stored_of_what_the_definition_gives_anyway(code: str) -> None:
    patch = patch_of(Session().run(code)["f"], 0)
    assert "annotated" not in patch and "gone" not in patch


def test_annotations_of_other_kinds_make_no_function_refused(tmp_path: Path) -> None:
    session = Session().run("def f(x): return x", "f.__annotations__.update(x=(n for n in ()), y=int)")
    restored = session.move(tmp_path, "f", "def f(x): return x", by_name="f")
    assert restored["f"].__annotations__ == {"y": int}
