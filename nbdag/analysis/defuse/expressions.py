"""Expressions: what evaluating one reads, and what is known of its value."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.parts import Parts
from nbdag.analysis.defuse.state import BUILTINS, MAY, READ
from nbdag.analysis.defuse.values import (
    BY_TYPE,
    IMMUTABLE,
    NOTHING,
    UNKNOWN,
    Frame,
    UserClass,
    UserFunction,
    Value,
    carried,
    join,
    unique,
)
from nbdag.analysis.wordlist import words

_OF_OPERATOR = {
    "Add": "add", "Subtract": "sub", "Multiply": "mul", "Divide": "truediv", "Modulo": "mod", "Power": "pow",
    "MatrixMultiply": "matmul", "FloorDivide": "floordiv", "BitOr": "or", "BitAnd": "and", "BitXor": "xor",
    "LeftShift": "lshift", "RightShift": "rshift",
}  # fmt: skip
_OF_UNARY = {"Minus": "__neg__", "Plus": "__pos__", "BitInvert": "__invert__"}
_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__")
_FORMATTING = ("__format__", "__str__", "__repr__")
_NUMBERS = words("int float complex bool scalar")
_ARRAYS = words("numpy.ndarray pandas.DataFrame pandas.Series pandas.Index polars.DataFrame polars.Series")


class Expressions(Parts):
    """Evaluates expressions; what is taken out of a value is in ``parts.py``, calls are in ``calls.py``."""

    def expr(self, node: tree.Expr) -> Value:
        kind = node.__class__
        if kind is tree.Name:
            return self.read(node.id, node.at)  # type: ignore[union-attr]
        return _EXPRESSIONS[kind](self, node)

    def _constant(self, node: tree.Constant) -> Value:
        if isinstance(node.value, str) and not self.quiet:
            self.mention(node.value)  # bytes
        return BY_TYPE[node.type]

    def _text(self, node: tree.Text) -> Value:
        if not self.quiet:
            self.mention(node.value)
        return BY_TYPE["str"]

    def tested(self, node: tree.Expr) -> bool | None:
        """Evaluates a condition; whether it holds, where its text says so: ``if False``, ``if TYPE_CHECKING``."""
        value = self.silent(node)
        self.truth(value)
        if isinstance(node, tree.Constant) and node.type in ("bool", "None", "int"):
            return None if node.type == "int" and node.value is None else bool(node.value)
        return False if value.path == "typing.TYPE_CHECKING" else None

    # ------------------------------------------------------------------------------------------ operations

    def _operation(self, node: tree.Operation) -> Value:
        if node.operator == "Compare":
            return self._compared(node)
        values = [self.expr(operand) for operand in node.operands]
        if len(values) == 1:
            if node.operator == "Not":
                self.truth(values[0])
            else:
                made = self.special(values[0], _OF_UNARY.get(node.operator, ""), [])
                if made is not None:
                    return made
            only = values[0].type
            return values[0] if only in _NUMBERS else Value(only if only in _ARRAYS else None)
        types = {value.type for value in values}
        for left, right in pairwise(values):
            suffix = _OF_OPERATOR.get(node.operator, "")
            made = self.special(left, f"__{suffix}__", [right])
            if made is None:
                made = self.special(right, f"__r{suffix}__", [left])
            if made is not None:
                return made
        if types <= _NUMBERS:
            return BY_TYPE["scalar"]
        if "str" in types and node.operator in ("Add", "Modulo", "Multiply"):
            return BY_TYPE["str"]
        arrays = types & _ARRAYS
        if arrays:
            return Value("pandas.DataFrame" if "pandas.DataFrame" in arrays else sorted(a for a in arrays if a)[-1])
        if types & _NUMBERS and node.operator != "Multiply":
            return Value(None)
        if node.operator in ("Add", "Multiply", "BitOr", "BitAnd", "Subtract", "BitXor"):
            # [a] + [b] holds a and b
            inner = frozenset().union(*(value.roots for value in values))
            functions = unique(tuple(function for value in values for function in value.functions))
            kind = next(iter(types)) if len(types) == 1 else None
            return Value(kind if kind in ("list", "tuple", "set", "dict") else None, inner=inner, functions=functions)
        return Value()

    def _compared(self, node: tree.Operation) -> Value:
        values = []
        for number, operand in enumerate(node.operands):
            self.doubt += number > 1  # a < b < c looks at c only if a < b
            values.append(self.silent(operand))
            self.doubt -= number > 1
        for left, right in pairwise(values):
            self.perhaps(left, _COMPARISONS, [right])
            self.perhaps(right, _COMPARISONS, [left])
        return Value()

    def _choice(self, node: tree.Choice) -> Value:
        value = self.expr(node.operands[0])
        self.truth(value)
        before = set(self.definite)
        self.doubt += 1
        self.branch += 1
        for operand in node.operands[1:]:
            value = join(value, self.expr(operand))
        self.doubt -= 1
        self.branch -= 1
        self.definite = before
        return value

    def _conditional(self, node: tree.Conditional) -> Value:
        known = self.tested(node.test)
        if known is not None:
            return self.expr(node.then if known else node.otherwise)
        before = set(self.definite)
        self.doubt += 1
        self.branch += 1
        then = self.expr(node.then)
        after = self.definite
        self.definite = set(before)
        otherwise = self.expr(node.otherwise)
        self.definite &= after
        self.doubt -= 1
        self.branch -= 1
        return join(then, otherwise)

    def _formatted(self, node: tree.Formatted) -> Value:
        for part in node.parts:
            if part.__class__ is tree.Text:
                self.expr(part)
            else:
                self.perhaps(self.silent(part), _FORMATTING, [])
        return BY_TYPE["str"]

    # ------------------------------------------------------------------------------------------ new values

    def _collection(self, node: tree.Collection) -> Value:
        for key in node.keys:
            self.expr(key)
        own = NOTHING
        inner: frozenset[str] = NOTHING
        functions: tuple[UserFunction, ...] = ()
        elements: dict[str, Value] | None = None
        for number, item in enumerate(node.items):
            if node.type == "dict" and item.__class__ is tree.Starred:
                value = self.expr(item.value).part()
            else:
                value = self.expr(item)
            if value.type not in IMMUTABLE:
                if value.own or value.shared or value.inner:
                    inner |= value.roots
                if value.functions or value.klass is not None:
                    functions = unique((*functions, *carried(value)))
                if value.klass is not None or value.functions or value.type in _ARRAYS:
                    elements = {} if elements is None else elements
                    key_node = node.keys[number] if len(node.keys) == len(node.items) else None
                    elements[key_node.value if isinstance(key_node, tree.Text) else f"\0{number}"] = value
        if elements is not None and (len(elements) != len(node.items) or len(elements) > 20):
            elements = None
        return Value(node.type, "", own, NOTHING, inner, functions, elements=elements)

    def _starred(self, node: tree.Starred) -> Value:
        value = self.expr(node.value)
        return self.iterate(value, self.position(node.value))

    def _await(self, node: tree.Await) -> Value:
        value = self.expr(node.value)
        if value.type != "coroutine":
            return value
        if node.value.__class__ is not tree.Call:  # a call has just been followed
            self.doubt += 1
            for function in value.functions:
                self.follow(function, [("", "*", UNKNOWN)], value)
            self.doubt -= 1
        return (value.elements or {}).get("\0", UNKNOWN)

    def _yield(self, node: tree.Yield) -> Value:
        if node.value is not None:
            self.returned.append(self.expr(node.value))
        return Value()

    def _walrus(self, node: tree.Walrus) -> Value:
        value = self.expr(node.value)
        self.bind(node.target.id, value, node.target.at, walrus=True)
        if value.immutable or self.frame is not None:
            return value
        return self.session.get(node.target.id) or value

    def _lambda(self, node: tree.Lambda) -> Value:
        return Value("function", functions=(self.make_function(node.code, None),))

    def make_function(self, code: tree.Function, owner: UserClass | None) -> UserFunction:
        """The function object of ``code``: defaults are evaluated now, what it will do is recorded as deferred."""
        defaults: dict[str, Value] = {}
        for parameter in code.parameters:
            if parameter.default is not None:
                defaults[parameter.name] = self.expr(parameter.default)
        function = UserFunction(code, self.frame, defaults, owner)
        if self.site is None:
            self.foresee(code)
        return function

    def foresee(self, code: tree.Function) -> None:
        """Records what calling ``code`` will do, as deferred accesses and effects."""
        saved = (self.frame, self.deferred, self.doubt, self.branch, self.early, self.returned, self.quiet)
        self.frame = Frame("function", code.locals, self.frame, code.globals, code.nonlocals)
        self.deferred, self.doubt, self.branch, self.early, self.returned, self.quiet = True, 0, 0, False, [], 0
        self.run(code.body)
        self.frame, self.deferred, self.doubt, self.branch, self.early, self.returned, self.quiet = saved

    def _comprehension(self, node: tree.Comprehension) -> Value:
        outer = self.frame
        first = node.generators[0]
        source = self.expr(first.iterable)
        element = self.iterate(source, self.position(first.iterable))
        self.frame = Frame("comprehension", node.names, outer)
        before = set(self.definite)
        self.doubt += 1
        self.branch += 1
        for number, generator in enumerate(node.generators):
            if number:
                value = self.expr(generator.iterable)
                element = self.iterate(value, self.position(generator.iterable))
            self.branch -= 1
            self.assign(generator.target, element)
            self.branch += 1
            for condition in generator.conditions:
                self.silent(condition)
        values = [self.expr(part) for part in node.elements]
        self.doubt -= 1
        self.branch -= 1
        self.definite = before
        self.frame = outer
        inner = frozenset().union(*(value.roots for value in values if not value.immutable))
        functions = unique(tuple(function for value in values for function in carried(value)))
        functions = tuple(f for f in functions if not f.code.generator)
        if node.code is not None:
            # What it reads is read when somebody asks for an element, which may be later.
            functions = (UserFunction(node.code, outer, {}), *functions)
            return Value("generator", inner=inner, functions=functions)
        return Value(node.type, inner=inner, functions=functions)

    # ------------------------------------------------------------------------------------------ magics

    def _magic(self, node: tree.MagicValue) -> Value:
        magic = node.magic if node.magic is not None else self.magics[node.index]
        for name in magic.reads:
            self._fill_in(name, node.at)
        if magic.text:
            self.mention(magic.text)
        timed = node.timed or self.timed.get(node.index)
        if timed is not None:
            self.run_timed(timed, node.at)
        for name, path in magic.binds:
            self.bind(name, Value(path=path) if path else Value("object"), node.at)
        for kind, certainty, detail in magic.effects:
            self.effect(kind, detail, certainty, node.at, node.at + 1)
        if magic.opaque:
            self.opaque()
        return Value(magic.gives or "object")

    def _fill_in(self, name: str, at: int) -> None:
        """A name in the text of a magic: of the session, or of the shell if the session has none such."""
        if self.session.knows(name) or self.frame is not None:
            self.read(name, at)
        elif not name.isupper() and name not in BUILTINS:
            self.access(name, READ, MAY, at)

    def run_timed(self, code: tree.Function, at: int) -> None:
        """Evaluates ``code``, which IPython runs in a function of its own; its names are its own."""
        saved, site = self.frame, self.site
        self.frame = Frame("function", code.locals, saved, code.globals)
        if at >= 0:
            self.site = (at, at + 1)
        self.run(code.body)
        self.frame, self.site = saved, site


_EXPRESSIONS: dict[type, Callable[[Any, Any], Value]] = {
    tree.Constant: Expressions._constant,
    tree.Text: Expressions._text,
    tree.Attribute: Expressions._attribute,
    tree.Subscript: Expressions._subscript,
    tree.Call: lambda self, node: self.call(node),
    tree.Lambda: Expressions._lambda,
    tree.Comprehension: Expressions._comprehension,
    tree.Walrus: Expressions._walrus,
    tree.Collection: Expressions._collection,
    tree.Operation: Expressions._operation,
    tree.Choice: Expressions._choice,
    tree.Conditional: Expressions._conditional,
    tree.Formatted: Expressions._formatted,
    tree.Starred: Expressions._starred,
    tree.Await: Expressions._await,
    tree.Yield: Expressions._yield,
    tree.MagicValue: Expressions._magic,
}
