"""A bundle that was restored into a session with a past of its own: what it did to the process is the session's, too.

Its values are variables like others. Its options, filters and environment count as changes of this session, so that
they go on with the next bundle. What its code told libraries does not, and is named.
"""

from __future__ import annotations

import ast
import re
import types
from typing import Any, Dict, Iterator, List

CARRIED = frozenset(["environ", "path", "stdout", "stderr", "stdin", "rcParams", "options", "filters"])
TELLING = re.compile(r"(?:un)?register|enable|disable|install|activate|listen$")


def told_to_libraries(codes: List[str], namespace: Dict[str, Any]) -> List[str]:
    """Those of the statements that leave something inside a library: ``np.mean = f``, ``atexit.register(f)``."""
    return [code for code in codes if any(of_a_library(root, namespace) for root in roots_told(code))]


def roots_told(code: str) -> Iterator[str]:
    """The names in whose attributes a statement sets something, or whose functions it calls to register something."""
    try:
        pending: List[Any] = list(ast.parse(code).body)
    except (SyntaxError, ValueError, RecursionError):
        return
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        pending += ast.iter_child_nodes(node)
        target: Any = None
        call: Any = getattr(node, "value", None)
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            target = node
        elif isinstance(node, ast.Expr) and isinstance(call, ast.Call):
            target = call
        words = []
        while isinstance(target, (ast.Attribute, ast.Subscript, ast.Call)):
            words += [target.attr] if isinstance(target, ast.Attribute) else []
            target = target.func if isinstance(target, ast.Call) else target.value
        if not isinstance(target, ast.Name) or CARRIED.intersection(words):
            continue
        if isinstance(node, ast.Expr):
            if any(TELLING.match(word) for word in words):
                yield target.id
            elif target.id in ("setattr", "delattr"):
                yield from (word.id for word in call.args[:1] if isinstance(word, ast.Name))
        else:
            yield target.id


def of_a_library(name: str, namespace: Dict[str, Any]) -> bool:
    """Whether a variable is a module, or a class or function of one."""
    value = namespace.get(name)
    if isinstance(value, types.ModuleType):
        return True
    return isinstance(value, (type, types.FunctionType)) and value.__module__ not in ("__main__", None)


def adopt_brought(recorder: Any, brought: List[Dict[str, Any]]) -> None:
    """The last of the bundles came while the session was recorded."""
    if brought:
        recorder.filters.adopt(brought[-1]["changes"])
        note_what_stays(recorder, brought)


def note_what_stays(recorder: Any, brought: List[Dict[str, Any]]) -> None:
    """Note what of the bundles that came into this session does not go on with it."""
    codes = [code for earlier in brought for code in told_to_libraries(earlier["codes"], recorder.namespace)]
    if not codes:
        return
    shown = ["`%s`" % " ".join(code.split())[:60] for code in codes[:5]]
    more = " and %d more" % (len(codes) - 5) if len(codes) > 5 else ""
    said = "what a restored bundle has set in libraries does not go on to the next one: %s%s"
    recorder.note("library-not-restored", "warning", said % (", ".join(shown), more))
