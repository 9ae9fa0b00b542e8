"""docs/messages.md has every reason that the code can give, in the words of the code."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from nbdag.analysis import hazards
from nbdag.portable.codecs.refused import REFUSED_TYPES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "messages.md").read_text(encoding="utf-8")
REASONS = set(re.findall(r"`((?:an? |it |its )[^`]+)`", PAGE))


def fixed_words(text: ast.expr) -> str:
    """The longest run of words of a message that does not depend on the session."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    fixed = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return max(fixed, key=len).strip(" (),")


def test_every_reason_not_to_replay_is_explained() -> None:
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(hazards))) if isinstance(node, ast.Call)]
    messages = {fixed_words(call.args[1]) for call in calls if getattr(call.func, "id", "") == "Hazard"}
    assert len(messages) > 15
    assert {message for message in messages if not any(message in reason for reason in REASONS)} == set()


def test_every_type_that_is_refused_is_explained() -> None:
    known = {reason for reason in REFUSED_TYPES.values() if reason in PAGE}
    assert known == set(REFUSED_TYPES.values())


def test_no_reason_is_explained_that_nobody_gives() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(hazards.__file__).parents[1].rglob("*.py"))
    for reason in REASONS:
        fixed = max(re.split(r"FILE|\(\.\.\.\)", reason), key=len).strip(" ,")
        assert fixed in sources, reason
