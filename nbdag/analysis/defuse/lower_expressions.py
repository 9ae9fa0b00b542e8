"""Expressions and targets: libcst's nodes -> the nodes of ``tree.py``, in textual order."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import libcst as cst
from libcst._nodes.internal import CodegenState

from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.places import Cursor
from nbdag.analysis.defuse.tree import MAGIC_NAME, Expr

if TYPE_CHECKING:
    from nbdag.analysis.magic_table import Magic

_NO_TIMED: Mapping[int, tree.Function] = {}


class Scope:
    """The names that one scope binds; comprehensions hand walrus targets on to the scope around them."""

    __slots__ = ("bound", "globals", "kind", "nonlocals", "private", "yields")

    def __init__(self, kind: str, private: str) -> None:
        self.kind = kind
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.private = private
        self.yields = False


class ExpressionLowering:
    """Lowers the statements of one text; ``cursor`` must stand before the first of them."""

    def __init__(
        self, cursor: Cursor, magics: Sequence[Magic] = (), timed: Mapping[int, tree.Function] = _NO_TIMED
    ) -> None:
        self.cursor = cursor
        self.magics = magics
        self.timed = timed
        self.scopes = [Scope("module", "")]
        self.uncertain = False
        self.lazy_annotations = False

    # ------------------------------------------------------------------------------------------ names and scopes

    def mangled(self, name: str) -> str:
        private = self.scopes[-1].private
        if private and name.startswith("__") and not name.endswith("__"):
            return f"_{private}{name}"
        return name

    def bind(self, name: str) -> None:
        self.scopes[-1].bound.add(name)

    def open(self, kind: str, private: str | None = None) -> Scope:
        scope = Scope(kind, self.scopes[-1].private if private is None else private)
        self.scopes.append(scope)
        return scope

    def name(self, node: cst.Name) -> tree.Name:
        value = node.value
        at = self.cursor.name(value)
        if not value.isascii():
            value = normalize("NFKC", value)  # as Python reads it
        return tree.Name(self.mangled(value) if value.startswith("__") else value, at)

    # ------------------------------------------------------------------------------------------ expressions

    def expr(self, node: Any) -> Expr:
        kind = node.__class__
        if kind is cst.Name:
            value = node.value
            at = self.cursor.name(value) if value not in _CONSTANTS else 0
            if value in _CONSTANTS:
                return _CONSTANTS[value]
            if value.startswith("__"):
                if value.startswith(MAGIC_NAME):
                    return self.magic(int(value[len(MAGIC_NAME) : -2]), at)
                value = self.mangled(value)
            return tree.Name(value if value.isascii() else normalize("NFKC", value), at)
        return _EXPRESSIONS[kind](self, node)

    def magic(self, index: int, at: int) -> tree.MagicValue:
        """The stand-in for magic number ``index`` of the cell, with all there is to know of it."""
        magic = self.magics[index] if index < len(self.magics) else None
        return tree.MagicValue(index, at, magic, self.timed.get(index))

    def exprs(self, nodes: Sequence[Any]) -> tuple[Expr, ...]:
        return tuple([self.expr(node) for node in nodes])

    def _attribute(self, node: cst.Attribute) -> Expr:
        return tree.Attribute(self.expr(node.value), self.mangled(node.attr.value))

    def _subscript(self, node: cst.Subscript) -> Expr:
        value = self.expr(node.value)
        index: list[Expr] = []
        sliced = False
        for element in node.slice:
            part: Any = element.slice
            if part.__class__ is cst.Index:
                index.append(self.expr(part.value))
            else:
                sliced = True
                index.extend(self.expr(end) for end in (part.lower, part.upper, part.step) if end is not None)
        return tree.Subscript(value, tuple(index), sliced)

    def _call(self, node: cst.Call) -> Expr:
        func = self.expr(node.func)
        start = func.at if isinstance(func, (tree.Name, tree.MagicValue)) else -1
        if start < 0:
            root: Any = func
            while isinstance(root, (tree.Attribute, tree.Subscript)):
                root = root.value
            start = root.at if isinstance(root, (tree.Name, tree.Call)) else self.cursor.position
        arguments = self.arguments(node.args)
        return tree.Call(func, arguments, start, max(self.cursor.position, start))

    def arguments(self, nodes: Sequence[cst.Arg]) -> tuple[tree.Argument, ...]:
        result = []
        for node in nodes:
            keyword = ""
            if node.keyword is not None:
                keyword = node.keyword.value
                self.cursor.name(keyword)
            result.append(tree.Argument(self.expr(node.value), keyword, node.star))
        return tuple(result)

    def parameters(self, node: cst.Parameters) -> tuple[tuple[tree.Parameter, ...], tuple[Expr, ...]]:
        """The parameters, and their annotations."""
        raise NotImplementedError

    def _lambda(self, node: cst.Lambda) -> Expr:
        at = self.cursor.position
        parameters, _ = self.parameters(node.params)
        scope = self.open("function")
        scope.bound.update(parameter.name for parameter in parameters)
        body = self.expr(node.body)
        self.scopes.pop()
        code = tree.Function(
            "<lambda>", at, parameters, (tree.Jump("return", (body,)),), frozenset(scope.bound), generator=scope.yields
        )
        return tree.Lambda(code)

    def _comprehension(self, node: Any) -> Expr:
        scope = self.open("comprehension")
        kind = _COMPREHENSIONS[node.__class__]
        if kind == "dict":
            elements: tuple[Expr, ...] = (self.expr(node.key), self.expr(node.value))
        else:
            elements = (self.expr(node.elt),)
        generators = []
        part = node.for_in
        while part is not None:
            target = self.target(part.target)
            iterable = self.expr(part.iter)
            generators.append(tree.Generator(target, iterable, tuple([self.expr(test.test) for test in part.ifs])))
            part = part.inner_for_in
        self.scopes.pop()
        code = _consumed(elements[0], generators, frozenset(scope.bound)) if kind == "generator" else None
        return tree.Comprehension(kind, elements, tuple(generators), frozenset(scope.bound), code)

    def _walrus(self, node: cst.NamedExpr) -> Expr:
        target = self.name(cst.ensure_type(node.target, cst.Name))
        scope = next(scope for scope in reversed(self.scopes) if scope.kind != "comprehension")
        scope.bound.add(target.id)
        return tree.Walrus(target, self.expr(node.value))

    def _elements(self, node: Any) -> tuple[Expr, ...]:
        result: list[Expr] = []
        for element in node.elements:
            value = self.expr(element.value)
            result.append(tree.Starred(value) if element.__class__ is cst.StarredElement else value)
        return tuple(result)

    def _collection(self, node: Any) -> Expr:
        return tree.Collection(_COLLECTIONS[node.__class__], self._elements(node))

    def _dict(self, node: cst.Dict) -> Expr:
        keys: list[Expr] = []
        items: list[Expr] = []
        for element in node.elements:
            if isinstance(element, cst.DictElement):
                keys.append(self.expr(element.key))
                items.append(self.expr(element.value))
            else:
                items.append(tree.Starred(self.expr(element.value)))
        return tree.Collection("dict", tuple(items), tuple(keys))

    def _binary(self, node: cst.BinaryOperation) -> Expr:
        operands: list[Any] = []
        name = node.operator.__class__.__name__
        left: Any = node
        while left.__class__ is cst.BinaryOperation:  # a + b + c + ...: long chains are deep to the left
            operands.append(left.right)
            left = left.left
        operands.append(left)
        operands.reverse()
        return tree.Operation(name, self.exprs(operands))

    def _boolean(self, node: cst.BooleanOperation) -> Expr:
        return tree.Choice((self.expr(node.left), self.expr(node.right)))

    def _unary(self, node: cst.UnaryOperation) -> Expr:
        return tree.Operation(node.operator.__class__.__name__, (self.expr(node.expression),))

    def _comparison(self, node: cst.Comparison) -> Expr:
        left = self.expr(node.left)
        if isinstance(left, tree.Name) and left.id == "__name__" and len(node.comparisons) == 1:
            right = self.expr(node.comparisons[0].comparator)
            same = node.comparisons[0].operator.__class__ is cst.Equal
            if same and isinstance(right, tree.Text):
                return tree.Constant("bool", right.value == "__main__")  # a notebook is __main__
            return tree.Operation("Compare", (left, right))
        return tree.Operation("Compare", (left, *[self.expr(target.comparator) for target in node.comparisons]))

    def _conditional(self, node: cst.IfExp) -> Expr:
        then = self.expr(node.body)
        test = self.expr(node.test)
        return tree.Conditional(test, then, self.expr(node.orelse))

    def _string(self, node: cst.SimpleString) -> Expr:
        text = node.value
        quote = text[0]
        if (quote == '"' or quote == "'") and "\\" not in text:
            return tree.Text(text[3:-3] if text[:3] == quote * 3 and len(text) > 5 else text[1:-1])
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = ""
        return tree.Text(value) if isinstance(value, str) else tree.Constant("bytes", value.decode("latin-1"))

    def _joined(self, node: cst.ConcatenatedString) -> Expr:
        left, right = self.expr(node.left), self.expr(node.right)
        if isinstance(left, tree.Text) and isinstance(right, tree.Text):
            return tree.Text(left.value + right.value)
        return tree.Formatted((left, right))

    def _formatted(self, node: Any) -> Expr:
        self.cursor.opening()
        parts: list[Expr] = []
        self._holes(node.parts, parts)
        self.cursor.position += len(node.end)
        return tree.Formatted(tuple(parts))

    def _holes(self, nodes: Sequence[Any], parts: list[Expr]) -> None:
        for part in nodes:
            if hasattr(part, "value"):
                parts.append(tree.Text(part.value))
                self.cursor.position += len(part.value)
                continue
            start = self.cursor.position
            length = _length_of(part)
            self.cursor.position = start + 1
            parts.append(self.expr(part.expression))
            if part.format_spec:
                self.cursor.position = start + length - 1 - sum(map(_length_of, part.format_spec))
                self._holes(part.format_spec, parts)
            self.cursor.position = start + length

    def _await(self, node: cst.Await) -> Expr:
        return tree.Await(self.expr(node.expression))

    def _yield(self, node: cst.Yield) -> Expr:
        self.scopes[-1].yields = True
        if self.scopes[-1].kind == "module":
            self.uncertain = True
        value: Any = node.value
        if value is None:
            return tree.Yield(None)
        return tree.Yield(self.expr(value.item if isinstance(value, cst.From) else value))

    def _starred(self, node: cst.StarredElement) -> Expr:
        return tree.Starred(self.expr(node.value))

    # ------------------------------------------------------------------------------------------ targets

    def target(self, node: Any) -> Expr:
        """``node`` as something assigned to: its names are bound in the scope at hand."""
        kind = node.__class__
        if kind is cst.Name:
            name = self.name(node)
            self.scopes[-1].bound.add(name.id)
            return name
        if kind is cst.Tuple or kind is cst.List:
            items: list[Expr] = []
            for element in node.elements:
                item = self.target(element.value)
                items.append(tree.Starred(item) if element.__class__ is cst.StarredElement else item)
            return tree.Collection("tuple", tuple(items))
        if kind is cst.StarredElement:
            self.uncertain = True
            return tree.Starred(self.target(node.value))
        return self.expr(node)


def _consumed(element: Expr, generators: list[tree.Generator], names: frozenset[str]) -> tree.Function:
    """What a generator expression does when it is consumed, as a function of its first iterable."""
    body: tuple[tree.Stmt, ...] = (tree.Expression(tree.Yield(element)),)
    for number, generator in reversed(list(enumerate(generators))):
        for condition in reversed(generator.conditions):
            body = (tree.If(condition, body, ()),)
        body = (tree.For(generator.target, generator.iterable if number else tree.Name(".0", 0), body, ()),)
    parameters = (tree.Parameter(".0", "positional", None),)
    return tree.Function("<genexpr>", 0, parameters, body, names | {".0"}, generator=True)


def _length_of(node: Any) -> int:
    state = CodegenState("    ", "\n")
    node._codegen(state)
    return len("".join(state.tokens))


_CONSTANTS: dict[str, tree.Constant] = {
    "None": tree.Constant("None", None),
    "True": tree.Constant("bool", True),
    "False": tree.Constant("bool", False),
}
_COMPREHENSIONS = {cst.ListComp: "list", cst.SetComp: "set", cst.DictComp: "dict", cst.GeneratorExp: "generator"}
_COLLECTIONS = {cst.List: "list", cst.Tuple: "tuple", cst.Set: "set"}
_TRUTHS = {"0": tree.Constant("int", 0), "1": tree.Constant("int", 1)}
_INTEGER, _FLOAT, _COMPLEX, _ELLIPSIS = (
    tree.Constant("int"), tree.Constant("float"), tree.Constant("complex"), tree.Constant("ellipsis"),
)  # fmt: skip

_EXPRESSIONS: dict[type, Callable[[ExpressionLowering, Any], Expr]] = {
    cst.Attribute: ExpressionLowering._attribute,
    cst.Subscript: ExpressionLowering._subscript,
    cst.Call: ExpressionLowering._call,
    cst.Lambda: ExpressionLowering._lambda,
    cst.ListComp: ExpressionLowering._comprehension,
    cst.SetComp: ExpressionLowering._comprehension,
    cst.DictComp: ExpressionLowering._comprehension,
    cst.GeneratorExp: ExpressionLowering._comprehension,
    cst.NamedExpr: ExpressionLowering._walrus,
    cst.List: ExpressionLowering._collection,
    cst.Tuple: ExpressionLowering._collection,
    cst.Set: ExpressionLowering._collection,
    cst.Dict: ExpressionLowering._dict,
    cst.BinaryOperation: ExpressionLowering._binary,
    cst.BooleanOperation: ExpressionLowering._boolean,
    cst.UnaryOperation: ExpressionLowering._unary,
    cst.Comparison: ExpressionLowering._comparison,
    cst.IfExp: ExpressionLowering._conditional,
    cst.SimpleString: ExpressionLowering._string,
    cst.ConcatenatedString: ExpressionLowering._joined,
    cst.FormattedString: ExpressionLowering._formatted,
    cst.Integer: lambda _self, node: _TRUTHS.get(node.value, _INTEGER),
    cst.Float: lambda _self, _node: _FLOAT,
    cst.Imaginary: lambda _self, _node: _COMPLEX,
    cst.Ellipsis: lambda _self, _node: _ELLIPSIS,
    cst.Await: ExpressionLowering._await,
    cst.Yield: ExpressionLowering._yield,
    cst.StarredElement: ExpressionLowering._starred,
}
if hasattr(cst, "TemplatedString"):
    _EXPRESSIONS[cst.TemplatedString] = ExpressionLowering._formatted
