"""Which names values have in a text."""

from __future__ import annotations

import ast

import pytest

from nbdag.replay.named_values import named_values


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("key = 1", ["key"]),
        ("a = b.key = c['key'] = 1", ["a", "key", "key"]),
        ("key: str = '1'", ["key"]),
        ("key: str", []),
        ("print(key := 1)", ["key"]),
        ("f('x', key=1, **more)", ["key"]),
        ("{'key': 1, 2: 3, name: 4, **more}", ["key", "2"]),
        ("a, b = 1, 2\nx[i] = 3", []),
    ],
)
def test_what_is_named_and_how(text: str, names: list[str]) -> None:
    assert [name for name, _ in named_values(ast.parse(text))] == names
