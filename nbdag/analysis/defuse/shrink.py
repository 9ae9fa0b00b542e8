"""Large literals cut down before libcst sees them, at their place and with their lines.

A cell that holds a megabyte of JSON takes libcst ten seconds, and there is nothing in it to know but the names::

    data = [{"a": null, ...}, ...]    ->    data = [null                 ]
"""

from __future__ import annotations

import ast

ENOUGH = 400  # characters of a literal that are worth cutting

_PLAIN = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Constant, ast.Name, ast.Load, ast.UnaryOp, ast.USub, ast.UAdd)


def shrink(text: str, parsed: ast.Module) -> str:
    """``text`` with every large display of constants and names replaced by one of the names alone, padded to length."""
    rows = text.split("\n")
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row) + 1)

    def offset(line: int, column: int) -> int:
        row = rows[line - 1]
        if not row.isascii():
            column = len(row.encode("utf-8")[:column].decode("utf-8", "ignore"))
        return starts[line - 1] + column

    pieces: list[tuple[int, int, str]] = []
    waiting: list[ast.AST] = list(reversed(parsed.body))
    while waiting:
        node = waiting.pop()
        loaded = isinstance(getattr(node, "ctx", None), (ast.Load, type(None)))
        if loaded and isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.Dict)):
            names = _names(node)
            if names is not None:
                start = offset(node.lineno, node.col_offset)
                end = offset(node.end_lineno or node.lineno, node.end_col_offset or 0)
                if end - start > ENOUGH and text[start] in "([{" and text[end - 1] in ")]}":
                    pieces.append((start, end, _smaller(text[start:end], names, isinstance(node, ast.Dict))))
                continue
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and node.lineno == node.end_lineno:
            start, end = offset(node.lineno, node.col_offset), offset(node.lineno, node.end_col_offset or 0)
            if end - start > 10 * ENOUGH and text[start] in "'\"" and text[start : start + 3] not in ("'''", '"""'):
                pieces.append((start, end, text[start] * 2 + " " * (end - start - 2)))
            continue
        if isinstance(node, ast.JoinedStr):
            continue
        waiting.extend(ast.iter_child_nodes(node))
    for start, end, piece in sorted(pieces, reverse=True):
        text = text[:start] + piece + text[end:]
    return text


def _names(node: ast.AST) -> list[str] | None:
    """The names in a display, each once; None if there is more in it than constants, names and displays."""
    found: dict[str, None] = {}
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, _PLAIN):
            return None
        if isinstance(part, ast.Name):
            found[part.id] = None
        else:
            waiting.extend(ast.iter_child_nodes(part))
    return list(found)


def _smaller(text: str, names: list[str], is_dict: bool) -> str:
    """A display of ``names`` as long as ``text`` and with its line breaks."""
    items = [f"{number}: {name}" if is_dict else name for number, name in enumerate(names)]
    body = ", ".join(items) + ("," if items and text[0] == "(" else "")
    if len(body) > len(text) - 2:
        return text
    breaks = text.count("\n")
    return text[0] + body + " " * (len(text) - 2 - len(body) - breaks) + "\n" * breaks + text[-1]
