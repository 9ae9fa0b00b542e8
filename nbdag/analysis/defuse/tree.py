"""The lowered code of a cell: what evaluation needs of libcst's tree, without whitespace, with offsets.

libcst's nodes know neither where they are nor which scope they open; a cell is therefore lowered once into these nodes
(``lower.py``) and evaluated as often as the session asks (``evaluate.py``). ``at`` is an offset into the text that was
parsed. Nodes are never changed after lowering.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from nbdag.analysis.magic_table import Magic

MAGIC_NAME = "__nbdag_magic_"  # the stand-in for magic number n is this, n and two underscores

# ---------------------------------------------------------------------------------------------- expressions


@dataclass(slots=True, eq=False)
class Name:
    id: str
    at: int


@dataclass(slots=True, eq=False)
class Text:
    """A string constant; adjacent literals are joined."""

    value: str


@dataclass(slots=True, eq=False)
class Constant:
    """A number, bytes, ``None``, a truth value or ``...``; ``value`` only where it matters: truth values, 0, 1, text
    in bytes."""

    type: str
    value: object = None


@dataclass(slots=True, eq=False)
class Attribute:
    value: Expr
    name: str


@dataclass(slots=True, eq=False)
class Subscript:
    value: Expr
    index: tuple[Expr, ...]
    slice: bool  # a:b anywhere in the index


@dataclass(slots=True, eq=False)
class Argument:
    value: Expr
    keyword: str = ""
    star: str = ""


@dataclass(slots=True, eq=False)
class Call:
    func: Expr
    arguments: tuple[Argument, ...]
    at: int
    end: int


@dataclass(slots=True, eq=False)
class Lambda:
    code: Function


@dataclass(slots=True, eq=False)
class Generator:
    target: Expr
    iterable: Expr
    conditions: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Comprehension:
    type: str  # "list", "set", "dict", "generator"
    elements: tuple[Expr, ...]
    generators: tuple[Generator, ...]
    names: frozenset[str]  # the targets: local to it
    code: Function | None = None  # of a generator expression: what it does when it is consumed


@dataclass(slots=True, eq=False)
class Walrus:
    target: Name
    value: Expr


@dataclass(slots=True, eq=False)
class Collection:
    """A display of a list, tuple, set or dict; ``keys`` only of a dict."""

    type: str
    items: tuple[Expr, ...]
    keys: tuple[Expr, ...] = ()


@dataclass(slots=True, eq=False)
class Operation:
    """Arithmetic, comparison or negation: makes a new value."""

    operator: str
    operands: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Choice:
    """``and`` and ``or``: the first operand is certain, the value is one of them."""

    operands: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Conditional:
    test: Expr
    then: Expr
    otherwise: Expr


@dataclass(slots=True, eq=False)
class Formatted:
    """An f-string or t-string: its holes, and its text in between."""

    parts: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Starred:
    value: Expr


@dataclass(slots=True, eq=False)
class Await:
    value: Expr


@dataclass(slots=True, eq=False)
class Yield:
    value: Expr | None


@dataclass(slots=True, eq=False)
class MagicValue:
    """Where a magic or a shell line stands in the code; ``index`` counts the magics of the cell."""

    index: int
    at: int
    magic: Magic | None = None
    timed: Function | None = None  # its Python that runs in a function of its own


Expr = Union[  # noqa: UP007
    Name, Text, Constant, Attribute, Subscript, Call, Lambda, Comprehension, Walrus, Collection, Operation, Choice,
    Conditional, Formatted, Starred, Await, Yield, MagicValue,
]  # fmt: skip

# ---------------------------------------------------------------------------------------------- statements


@dataclass(slots=True, eq=False)
class Assign:
    targets: tuple[Expr, ...]
    value: Expr


@dataclass(slots=True, eq=False)
class Augment:
    target: Expr
    operator: str
    value: Expr


@dataclass(slots=True, eq=False)
class Annotate:
    target: Expr
    annotation: Expr
    value: Expr | None


@dataclass(slots=True, eq=False)
class Delete:
    targets: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class Expression:
    value: Expr


@dataclass(slots=True, eq=False)
class Imported:
    path: str  # "os.path"
    name: str  # the name it binds
    at: int
    bind: str  # the path that the name stands for: "os" for `import os.path`


@dataclass(slots=True, eq=False)
class Import:
    imported: tuple[Imported, ...]
    star: str | None = None  # the module of `from module import *`
    star_at: int = 0


@dataclass(slots=True, eq=False)
class Parameter:
    name: str
    kind: str  # "positional", "keyword", "*", "**"
    default: Expr | None


@dataclass(slots=True, eq=False)
class Function:
    """A def or a lambda. ``locals`` are the names that its body makes its own."""

    name: str
    at: int
    parameters: tuple[Parameter, ...]
    body: tuple[Stmt, ...]
    locals: frozenset[str]
    decorators: tuple[Expr, ...] = ()
    annotations: tuple[Expr, ...] = ()
    type_names: frozenset[str] = frozenset()  # PEP 695
    type_bounds: tuple[Expr, ...] = ()
    globals: frozenset[str] = frozenset()
    nonlocals: frozenset[str] = frozenset()
    generator: bool = False
    asynchronous: bool = False


@dataclass(slots=True, eq=False)
class Define:
    function: Function


@dataclass(slots=True, eq=False)
class DefineClass:
    name: str
    at: int
    arguments: tuple[Argument, ...]
    body: tuple[Stmt, ...]
    decorators: tuple[Expr, ...]
    locals: frozenset[str]
    globals: frozenset[str]
    nonlocals: frozenset[str]
    type_names: frozenset[str] = frozenset()
    type_bounds: tuple[Expr, ...] = ()


@dataclass(slots=True, eq=False)
class TypeAlias:
    name: str
    at: int
    value: Expr
    type_names: frozenset[str]
    type_bounds: tuple[Expr, ...]


@dataclass(slots=True, eq=False)
class For:
    target: Expr
    iterable: Expr
    body: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class While:
    test: Expr
    body: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class If:
    test: Expr
    body: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class With:
    items: tuple[tuple[Expr, Expr | None], ...]
    body: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class Handler:
    type: Expr | None
    name: Name | None
    body: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class Try:
    body: tuple[Stmt, ...]
    handlers: tuple[Handler, ...]
    otherwise: tuple[Stmt, ...]
    final: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class Case:
    reads: tuple[Expr, ...]
    binds: tuple[Name, ...]
    guard: Expr | None
    body: tuple[Stmt, ...]


@dataclass(slots=True, eq=False)
class Match:
    subject: Expr
    cases: tuple[Case, ...]


@dataclass(slots=True, eq=False)
class Jump:
    """``return``, ``raise``, ``break``, ``continue``, ``pass`` and declarations: what leaves the block, if anything."""

    kind: str
    values: tuple[Expr, ...] = ()


@dataclass(slots=True, eq=False)
class Assert:
    test: Expr
    message: Expr | None


@dataclass(slots=True, eq=False)
class Timed:
    """A body that IPython runs inside a function of its own, any number of times: ``%%timeit``."""

    function: Function
    magic: int


Stmt = Union[  # noqa: UP007
    Assign, Augment, Annotate, Delete, Expression, Import, Define, DefineClass, TypeAlias, For, While, If, With, Try,
    Match, Jump, Assert, Timed,
]  # fmt: skip


@dataclass(slots=True, eq=False)
class Lowered:
    """The top-level statements of one piece of text; ``uncertain`` asks for a real compilation to be sure."""

    statements: list[list[Stmt]] = field(default_factory=list)
    uncertain: bool = False
    lazy_annotations: bool = False
