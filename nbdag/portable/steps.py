"""The two kinds of steps of a plan, as restore.py spells them, and which of them some names need."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Set, Tuple

from nbdag.portable.namespace import word_set

# Of the standard library, and soon imported.
PLAIN_MODULES = word_set(
    "builtins collections copyreg datetime decimal fractions functools itertools operator types uuid"
)
# Code that mentions one of these may reach names of the session that it does not mention.
REACHES_ANY_NAME = word_set(
    "exec eval compile globals locals vars setattr delattr getattr __main__ __dict__ __import__ get_ipython importlib "
    "runpy inspect gc ctypes"
)


class Load:
    """Put stored values into the namespace: group ``group`` of data.msgpack."""

    def __init__(self, *names: str, group: int) -> None:
        self.names = names
        self.group = group


class Replay:
    """Run ``code``, which stands from ``line`` on in ``cell``, to make ``names``.

    ``files`` are what it reads: (path as spelled, absolute path then, size, sha256 or ""). ``random_state`` is the
    number of the states of the random generators to begin with. ``may_fail``: it raised in the session too.
    ``seconds`` is what it took there.
    """

    def __init__(
        self,
        code: str,
        cell: str,
        line: int = 1,
        names: Tuple[str, ...] = (),
        why: str = "",
        random_state: Any = None,
        files: Tuple[Tuple[str, str, int, str], ...] = (),
        cwd: str = "",
        may_fail: bool = False,
        seconds: float = 0.0,
    ) -> None:
        self.code = code
        self.cell = cell
        self.line = line
        self.names = names
        self.why = why
        self.random_state = random_state
        self.files = files
        self.cwd = cwd
        self.may_fail = may_fail
        self.seconds = seconds


def select_steps(plan: Sequence[Any], groups: List[Dict[str, Any]], wanted: Set[str]) -> List[Any]:
    """The steps of ``plan`` that ``wanted`` names need, in order: whatever a needed step may mention is needed too."""
    needed = set(wanted)
    chosen: List[Any] = []
    for step in reversed(plan):
        if not needed.intersection(step.names):
            continue
        chosen.append(step)
        if isinstance(step, Load):
            needed.update(groups[step.group].get("needs", ()))
        else:
            needed.update(names_mentioned(step.code))
    return chosen[::-1]


def ready_first(plan: Sequence[Any], groups: List[Dict[str, Any]]) -> List[Any]:
    """``plan`` with what needs no library and no code of the notebook in front: there before a library is imported.

    A load goes before replays only if none of them mentions one of its names, or could reach them without a name.
    """
    early: List[Load] = []
    rest: List[Any] = []
    mentioned: Set[str] = set()
    for number, step in enumerate(plan):
        if isinstance(step, Load):
            group = groups[step.group]
            alone = not group.get("needs") and "handle" not in group.get("restorers", ())
            if alone and PLAIN_MODULES.issuperset(group.get("modules", ())) and mentioned.isdisjoint(step.names):
                early.append(step)
                continue
        else:
            found = names_mentioned(step.code)
            if not REACHES_ANY_NAME.isdisjoint(found) or ("import" in found and "*" in step.code):
                return early + rest + list(plan[number:])
            mentioned |= found.union(step.names)
        rest.append(step)
    return early + rest


def names_mentioned(code: str) -> Set[str]:
    """Every identifier that ``code`` could look up, inside its functions and its strings too."""
    from re import findall

    return set(findall(r"[^\W\d]\w*", code))


def names_read(code: str) -> Set[str]:
    """The global names that running ``code`` may read.

    ``def f(): return b`` alone does not read b; it does where f is used in the same code.
    """
    import ast

    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return names_mentioned(code)
    found: Set[str] = set()
    definitions: Dict[str, List[Any]] = {}
    pending: List[Any] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            pending += [*node.decorator_list, node.args]
            definitions.setdefault(node.name, []).extend(node.body)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)  # a method of a class of this code; harmless otherwise
            pending.append(node.value)
        else:
            if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
            pending += ast.iter_child_nodes(node)
        if not pending:
            for name in sorted(found.intersection(definitions)):
                pending += definitions.pop(name)
    return found


def names_reached(code: str, namespace: Dict[str, Any]) -> Set[str]:
    """:func:`names_read`, and what the functions and classes of the session behind those names read in turn."""
    found: Set[str] = set()
    pending = sorted(names_read(code))
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        value = namespace.get(name)
        parts = list(vars(value).values()) if isinstance(value, type) else [value]
        for part in parts:
            inner = getattr(part, "__code__", None)
            if inner is not None and getattr(part, "__globals__", None) is namespace:
                pending.extend(inner.co_names)
                for constant in inner.co_consts:
                    pending.extend(getattr(constant, "co_names", ()))
    return found
