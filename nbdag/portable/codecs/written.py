"""What the text of a definition gives it: replaying it gives it that again, whatever the session took away since.

    def f(x: int): ...        f.__annotations__["x"] = str       class C:             del C.limit
                              del f.__annotations__["x"]             limit = 3

Which text made a function or class need not be known for sure: what is said here is never more than what is so in the
session, and what is not annotated or defined there is not to be there afterwards.
"""

from __future__ import annotations
import __future__

import ast
import linecache
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

# By id: an annotation may be an array, or have an __eq__ of its own.
PLAIN_TYPES_OF_ANNOTATIONS = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, object)
PLAIN_ANNOTATIONS = frozenset(map(id, (None, *PLAIN_TYPES_OF_ANNOTATIONS)))
NAMES_OF_ANNOTATIONS = {kind.__name__: kind for kind in PLAIN_TYPES_OF_ANNOTATIONS}
READ_TEXTS: Dict[int, "WrittenText"] = {}  # by the hash of the text: a tree would be a hundred times as large
MOST_READ = 2000
OTHER = object()  # an annotation that is neither a constant nor a name


class WrittenText:
    """The definitions in one cell: annotations of functions by name and line, what the bodies of classes define."""

    def __init__(self, text: str) -> None:
        self.functions: Dict[Tuple[str, int], Optional[Dict[str, Any]]] = {}  # None: two of that name in that line
        self.classes: Dict[str, Set[str]] = {}
        try:
            nodes = list(ast.walk(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError):
            return
        for node in nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                line = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                again = (node.name, line) in self.functions
                self.functions[node.name, line] = None if again else annotations_in(node)
            elif isinstance(node, ast.ClassDef):
                self.classes.setdefault(node.name, set()).update(defined_in(node))


def annotations_in(node: Any) -> Dict[str, Any]:
    """What is written as annotations of a ``def``: ("constant", value), ("name", name) or OTHER."""
    arguments = node.args
    every = [*getattr(arguments, "posonlyargs", ()), *arguments.args, *arguments.kwonlyargs]
    every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    written = {one.arg: one.annotation for one in every}
    written["return"] = node.returns
    found: Dict[str, Any] = {}
    for name, tree in written.items():
        if isinstance(tree, ast.Constant):
            found[name] = ("constant", tree.value)
        elif tree is not None:
            found[name] = ("name", tree.id) if isinstance(tree, ast.Name) else OTHER
    return found


def defined_in(node: ast.ClassDef) -> Iterator[str]:
    """What the body of a class defines. What a call gives may be meant for a decorator
    (``field(default_factory=list)``), which takes it out."""
    for statement in node.body:
        names: List[Any] = []
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names = [statement.name]
        elif isinstance(statement, ast.Assign) and not isinstance(statement.value, ast.Call):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Constant):
            names = [statement.target.id] if isinstance(statement.target, ast.Name) else []
        yield from (one for one in names if not one.startswith("__"))


def cell_lines(entry: Any) -> List[str]:
    """The lines of an entry of linecache that is a cell, and no file."""
    return list(entry[2]) if len(entry) == 4 and entry[1] is None else []


def written_in(lines: List[str]) -> WrittenText:
    """The definitions in a cell."""
    text = "".join(lines)
    key = hash(text)
    if key not in READ_TEXTS:
        if len(READ_TEXTS) >= MOST_READ:
            READ_TEXTS.clear()
        READ_TEXTS[key] = WrittenText(text)
    return READ_TEXTS[key]


def is_plain_annotation(item: Any) -> bool:
    """Whether an annotation is a text or one of a few builtin types, and can surely be stored."""
    return type(item) is str or id(item) in PLAIN_ANNOTATIONS


def annotations_since(function: Any) -> Dict[str, Any]:
    """How the annotations of a function surely differ from those of its text: {"set": {...}, "gone": [...]}; {} if they
    do not. Annotations of other kinds than the plain ones are not spoken of."""
    code = function.__code__
    given = written_in(cell_lines(linecache.cache.get(code.co_filename, ()))).functions.get(
        (code.co_name, code.co_firstlineno)
    )
    if given is None or "__wrapped__" in function.__dict__:
        return {}
    try:
        now = dict(function.__annotations__)
    except Exception:  # evaluated late since Python 3.14: may name what does not exist
        return {}
    as_text = bool(code.co_flags & __future__.annotations.compiler_flag)
    plain = {name: item for name, item in now.items() if is_plain_annotation(item)}
    put = {name: item for name, item in plain.items() if is_other(given.get(name), item, as_text)}
    private = {"__" + name.partition("__")[2] for name in now if name.startswith("_")}  # _C__x of a method of C
    gone = [name for name in given if name not in now and name not in private]
    return {"set": put, "gone": gone} if put or gone else {}


def is_other(written: Any, item: Any, as_text: bool) -> bool:
    """Whether a plain annotation is surely not the one that is written there; None: nothing is.

    ``as_text``: all are texts, by ``from __future__ import annotations``.
    """
    if written is None:
        return True
    if written is OTHER:
        return False
    how, what = written
    if as_text and type(item) is str:
        return item != (what if how == "name" else repr(what))
    if how == "name":
        return what in NAMES_OF_ANNOTATIONS and NAMES_OF_ANNOTATIONS[what] is not item
    return type(item) is not type(what) or item != what


def attributes_gone(kind: type) -> List[str]:
    """What the body of a class defines, and the class no longer has."""
    if type(kind) is not type:
        return []  # metaclasses take things out of a class when it is made
    word, own = "class " + kind.__name__, vars(kind)
    named: Set[str] = set()
    for entry in list(linecache.cache.values()):
        lines = cell_lines(entry)
        if any(word in line for line in lines):
            named |= written_in(lines).classes.get(kind.__name__, set())
    return sorted(name for name in named if name not in own)
