"""libcst's tree -> the nodes of ``tree.py``: one walk, in textual order, that also finds scopes and offsets.

Not seen: comments, whitespace, the text of annotations that are strings (they are Text nodes like any other).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst
from libcst._nodes.internal import CodegenState

from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.places import Cursor
from nbdag.analysis.defuse.tree import Expr, Stmt

MAGIC_NAME = "__nbdag_magic_"  # the stand-in for magic number n is this and n

_NO_NAMES: frozenset[str] = frozenset()


class _Scope:
    """The names that one scope binds; comprehensions hand walrus targets on to the scope around them."""

    __slots__ = ("bound", "globals", "kind", "nonlocals", "private", "yields")

    def __init__(self, kind: str, private: str) -> None:
        self.kind = kind
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.private = private
        self.yields = False


class Lowering:
    """Lowers the statements of one text; ``cursor`` must stand before the first of them."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.scopes = [_Scope("module", "")]
        self.uncertain = False
        self.lazy_annotations = False

    # ------------------------------------------------------------------------------------------ names and scopes

    def _mangled(self, name: str) -> str:
        private = self.scopes[-1].private
        if private and name.startswith("__") and not name.endswith("__"):
            return f"_{private}{name}"
        return name

    def _bind(self, name: str) -> None:
        self.scopes[-1].bound.add(name)

    def _open(self, kind: str, private: str | None = None) -> _Scope:
        scope = _Scope(kind, self.scopes[-1].private if private is None else private)
        self.scopes.append(scope)
        return scope

    def name(self, node: cst.Name) -> tree.Name:
        value = node.value
        at = self.cursor.name(value)
        return tree.Name(self._mangled(value) if value.startswith("__") else value, at)

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
                    return tree.MagicValue(int(value[len(MAGIC_NAME) : -2]), at)
                value = self._mangled(value)
            return tree.Name(value, at)
        return _EXPRESSIONS[kind](self, node)

    def exprs(self, nodes: Sequence[Any]) -> tuple[Expr, ...]:
        return tuple([self.expr(node) for node in nodes])

    def _attribute(self, node: cst.Attribute) -> Expr:
        return tree.Attribute(self.expr(node.value), self._mangled(node.attr.value))

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

    def _lambda(self, node: cst.Lambda) -> Expr:
        at = self.cursor.position
        parameters, _ = self._parameters(node.params)
        scope = self._open("function")
        scope.bound.update(parameter.name for parameter in parameters)
        body = self.expr(node.body)
        self.scopes.pop()
        code = tree.Function(
            "<lambda>", at, parameters, (tree.Jump("return", (body,)),), frozenset(scope.bound), generator=scope.yields
        )
        return tree.Lambda(code)

    def _comprehension(self, node: Any) -> Expr:
        scope = self._open("comprehension")
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
        return tree.Comprehension(kind, elements, tuple(generators), frozenset(scope.bound))

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
        return tree.Text(value) if isinstance(value, str) else tree.Constant("bytes")

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

    # ------------------------------------------------------------------------------------------ statements

    def block(self, node: Any) -> tuple[Stmt, ...]:
        result: list[Stmt] = []
        for statement in node.body:
            self.statement(statement, result)
        return tuple(result)

    def statement(self, node: Any, into: list[Stmt]) -> None:
        if node.__class__ is cst.SimpleStatementLine:
            for small in node.body:
                into.append(_STATEMENTS[small.__class__](self, small))
        else:
            into.append(_STATEMENTS[node.__class__](self, node))

    def _expression(self, node: cst.Expr) -> Stmt:
        return tree.Expression(self.expr(node.value))

    def _assign(self, node: cst.Assign) -> Stmt:
        targets = tuple([self.target(target.target) for target in node.targets])
        return tree.Assign(targets, self.expr(node.value))

    def _augment(self, node: cst.AugAssign) -> Stmt:
        target = self.target(node.target)
        return tree.Augment(target, node.operator.__class__.__name__, self.expr(node.value))

    def _annotate(self, node: cst.AnnAssign) -> Stmt:
        if node.value is None and self.scopes[-1].kind == "module":
            target: Expr = self.expr(node.target)
        else:
            target = self.target(node.target)
        annotation = self.expr(node.annotation.annotation)
        return tree.Annotate(target, annotation, None if node.value is None else self.expr(node.value))

    def _delete(self, node: cst.Del) -> Stmt:
        target = self.target(node.target)
        return tree.Delete(target.items if isinstance(target, tree.Collection) else (target,))

    def _import(self, node: cst.Import) -> Stmt:
        found = []
        for alias in node.names:
            path = _dotted(alias.name)
            if alias.asname is not None:
                bound = self.name(cst.ensure_type(alias.asname.name, cst.Name))
                found.append(tree.Imported(path, bound.id, bound.at, path))
            else:
                first = path.split(".")[0]
                found.append(tree.Imported(path, self._mangled(first), self.cursor.name(first), first))
            self._bind(found[-1].name)
        return tree.Import(tuple(found))

    def _import_from(self, node: cst.ImportFrom) -> Stmt:
        module = "." * len(node.relative) + (_dotted(node.module) if node.module is not None else "")
        if isinstance(node.names, cst.ImportStar):
            if self.scopes[-1].kind != "module":
                self.uncertain = True
            return tree.Import((), module)
        if module == "__future__":
            self.lazy_annotations |= any(_dotted(alias.name) == "annotations" for alias in node.names)
            self.uncertain = True
        found = []
        for alias in node.names:
            first = _dotted(alias.name)
            at = self.cursor.name(first)
            name = first
            if alias.asname is not None:
                bound = self.name(cst.ensure_type(alias.asname.name, cst.Name))
                name, at = bound.id, bound.at
            name = self._mangled(name)
            path = f"{module}.{first}" if not module.endswith(".") else module + first
            found.append(tree.Imported(path, name, at, path))
            self._bind(name)
        return tree.Import(tuple(found))

    def _declare(self, node: Any) -> Stmt:
        scope = self.scopes[-1]
        names = {self.name(item.name).id for item in node.names}
        (scope.globals if isinstance(node, cst.Global) else scope.nonlocals).update(names)
        self.uncertain = True
        return tree.Jump("pass")

    def _return(self, node: cst.Return) -> Stmt:
        if self.scopes[-1].kind != "function":
            self.uncertain = True
        return tree.Jump("return", () if node.value is None else (self.expr(node.value),))

    def _raise(self, node: cst.Raise) -> Stmt:
        parts: list[Any] = [] if node.exc is None else [node.exc]
        if node.cause is not None:
            parts.append(node.cause.item)
        return tree.Jump("raise", self.exprs(parts))

    def _jump(self, node: Any) -> Stmt:
        if self.scopes[-1].kind == "module" and not isinstance(node, cst.Pass):
            self.uncertain = True
        return tree.Jump(node.__class__.__name__.lower())

    def _assert(self, node: cst.Assert) -> Stmt:
        return tree.Assert(self.expr(node.test), None if node.msg is None else self.expr(node.msg))

    def _type_parameters(self, node: Any) -> tuple[frozenset[str], tuple[Expr, ...]]:
        """The names of PEP 695 type parameters, and their bounds and defaults."""
        if node is None:
            return _NO_NAMES, ()
        names: list[str] = []
        bounds: list[Expr] = []
        for item in node.params:
            names.append(self.name(item.param.name).id)
            bounds.extend(
                self.expr(part) for part in (getattr(item.param, "bound", None), item.default) if part is not None
            )
        return frozenset(names), tuple(bounds)

    def _type_alias(self, node: cst.TypeAlias) -> Stmt:
        name = self.name(node.name)
        self._bind(name.id)
        names, bounds = self._type_parameters(node.type_parameters)
        return tree.TypeAlias(name.id, name.at, self.expr(node.value), names, bounds)

    def _parameters(self, node: cst.Parameters) -> tuple[tuple[tree.Parameter, ...], tuple[Expr, ...]]:
        found: list[tree.Parameter] = []
        annotations: list[Expr] = []

        def one(parameter: Any, kind: str) -> None:
            if not isinstance(parameter, cst.Param):
                return
            name = self.name(parameter.name).id
            if parameter.annotation is not None:
                annotations.append(self.expr(parameter.annotation.annotation))
            default = None if parameter.default is None else self.expr(parameter.default)
            found.append(tree.Parameter(name, kind, default))

        for parameter in (*node.posonly_params, *node.params):
            one(parameter, "positional")
        one(node.star_arg, "*")
        for parameter in node.kwonly_params:
            one(parameter, "keyword")
        one(node.star_kwarg, "**")
        if len({parameter.name for parameter in found}) < len(found):
            self.uncertain = True
        return tuple(found), tuple(annotations)

    def _function(self, node: cst.FunctionDef) -> Stmt:
        decorators = tuple([self.expr(decorator.decorator) for decorator in node.decorators])
        name = self.name(node.name)
        self._bind(name.id)
        type_names, bounds = self._type_parameters(node.type_parameters)
        parameters, annotations = self._parameters(node.params)
        if node.returns is not None:
            annotations = (*annotations, self.expr(node.returns.annotation))
        scope = self._open("function")
        scope.bound.update(parameter.name for parameter in parameters)
        body = self.block(node.body)
        self.scopes.pop()
        function = tree.Function(
            name=name.id,
            at=name.at,
            parameters=parameters,
            body=body,
            locals=frozenset(scope.bound - scope.globals - scope.nonlocals),
            decorators=decorators,
            annotations=annotations,
            type_names=type_names,
            type_bounds=bounds,
            globals=frozenset(scope.globals),
            nonlocals=frozenset(scope.nonlocals),
            generator=scope.yields,
            asynchronous=node.asynchronous is not None,
        )
        return tree.Define(function)

    def _class(self, node: cst.ClassDef) -> Stmt:
        decorators = tuple([self.expr(decorator.decorator) for decorator in node.decorators])
        name = self.name(node.name)
        self._bind(name.id)
        type_names, bounds = self._type_parameters(node.type_parameters)
        arguments = self.arguments((*node.bases, *node.keywords))
        scope = self._open("class", node.name.value.lstrip("_"))
        body = self.block(node.body)
        self.scopes.pop()
        return tree.DefineClass(
            name=name.id,
            at=name.at,
            arguments=arguments,
            body=body,
            decorators=decorators,
            locals=frozenset(scope.bound - scope.globals - scope.nonlocals),
            globals=frozenset(scope.globals),
            nonlocals=frozenset(scope.nonlocals),
            type_names=type_names,
            type_bounds=bounds,
        )

    def _else(self, node: Any) -> tuple[Stmt, ...]:
        if node is None:
            return ()
        if isinstance(node, cst.If):
            return (self._if(node),)
        return self.block(node.body)

    def _if(self, node: cst.If) -> Stmt:
        test = self.expr(node.test)
        body = self.block(node.body)
        return tree.If(test, body, self._else(node.orelse))

    def _for(self, node: cst.For) -> Stmt:
        target = self.target(node.target)
        iterable = self.expr(node.iter)
        body = self.block(node.body)
        return tree.For(target, iterable, body, self._else(node.orelse))

    def _while(self, node: cst.While) -> Stmt:
        test = self.expr(node.test)
        body = self.block(node.body)
        return tree.While(test, body, self._else(node.orelse))

    def _with(self, node: cst.With) -> Stmt:
        items: list[tuple[Expr, Expr | None]] = []
        for item in node.items:
            value = self.expr(item.item)
            items.append((value, None if item.asname is None else self.target(item.asname.name)))
        return tree.With(tuple(items), self.block(node.body))

    def _try(self, node: Any) -> Stmt:
        body = self.block(node.body)
        handlers = []
        for handler in node.handlers:
            kind = None if handler.type is None else self.expr(handler.type)
            name = None if handler.name is None else self.target(handler.name.name)
            assert name is None or isinstance(name, tree.Name)
            handlers.append(tree.Handler(kind, name, self.block(handler.body)))
        otherwise = self._else(node.orelse)
        final = () if node.finalbody is None else self.block(node.finalbody.body)
        return tree.Try(body, tuple(handlers), otherwise, final)

    def _match(self, node: cst.Match) -> Stmt:
        subject = self.expr(node.subject)
        cases = []
        for case in node.cases:
            reads: list[Expr] = []
            binds: list[tree.Name] = []
            self._pattern(case.pattern, reads, binds)
            guard = None if case.guard is None else self.expr(case.guard)
            cases.append(tree.Case(tuple(reads), tuple(binds), guard, self.block(case.body)))
        return tree.Match(subject, tuple(cases))

    def _pattern(self, node: Any, reads: list[Expr], binds: list[tree.Name]) -> None:
        def capture(name: Any) -> None:
            target = self.target(name)
            assert isinstance(target, tree.Name)
            binds.append(target)

        if isinstance(node, cst.MatchValue):
            reads.append(self.expr(node.value))
        elif isinstance(node, cst.MatchAs):
            if node.pattern is not None:
                self._pattern(node.pattern, reads, binds)
            if node.name is not None:
                capture(node.name)
        elif isinstance(node, cst.MatchOr):
            for choice in node.patterns:
                self._pattern(choice.pattern, reads, binds)
        elif isinstance(node, cst.MatchStar):
            if node.name is not None:
                capture(node.name)
        elif isinstance(node, (cst.MatchList, cst.MatchTuple)):
            for element in node.patterns:
                self._pattern(element if isinstance(element, cst.MatchStar) else element.value, reads, binds)
        elif isinstance(node, cst.MatchMapping):
            for entry in node.elements:
                reads.append(self.expr(entry.key))
                self._pattern(entry.pattern, reads, binds)
            if node.rest is not None:
                capture(node.rest)
        elif isinstance(node, cst.MatchClass):
            reads.append(self.expr(node.cls))
            for element in node.patterns:
                self._pattern(element.value, reads, binds)
            for keyword in node.kwds:
                self.cursor.name(keyword.key.value)
                self._pattern(keyword.pattern, reads, binds)


def _dotted(node: Any) -> str:
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    parts.append(node.value)
    return ".".join(reversed(parts))


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
_INTEGER, _FLOAT, _COMPLEX, _ELLIPSIS = (
    tree.Constant("int"), tree.Constant("float"), tree.Constant("complex"), tree.Constant("ellipsis"),
)  # fmt: skip

_EXPRESSIONS: dict[type, Callable[[Lowering, Any], Expr]] = {
    cst.Attribute: Lowering._attribute,
    cst.Subscript: Lowering._subscript,
    cst.Call: Lowering._call,
    cst.Lambda: Lowering._lambda,
    cst.ListComp: Lowering._comprehension,
    cst.SetComp: Lowering._comprehension,
    cst.DictComp: Lowering._comprehension,
    cst.GeneratorExp: Lowering._comprehension,
    cst.NamedExpr: Lowering._walrus,
    cst.List: Lowering._collection,
    cst.Tuple: Lowering._collection,
    cst.Set: Lowering._collection,
    cst.Dict: Lowering._dict,
    cst.BinaryOperation: Lowering._binary,
    cst.BooleanOperation: Lowering._boolean,
    cst.UnaryOperation: Lowering._unary,
    cst.Comparison: Lowering._comparison,
    cst.IfExp: Lowering._conditional,
    cst.SimpleString: Lowering._string,
    cst.ConcatenatedString: Lowering._joined,
    cst.FormattedString: Lowering._formatted,
    cst.Integer: lambda _self, _node: _INTEGER,
    cst.Float: lambda _self, _node: _FLOAT,
    cst.Imaginary: lambda _self, _node: _COMPLEX,
    cst.Ellipsis: lambda _self, _node: _ELLIPSIS,
    cst.Await: Lowering._await,
    cst.Yield: Lowering._yield,
    cst.StarredElement: Lowering._starred,
}
if hasattr(cst, "TemplatedString"):
    _EXPRESSIONS[cst.TemplatedString] = Lowering._formatted

_STATEMENTS: dict[type, Callable[[Lowering, Any], Stmt]] = {
    cst.Expr: Lowering._expression,
    cst.Assign: Lowering._assign,
    cst.AugAssign: Lowering._augment,
    cst.AnnAssign: Lowering._annotate,
    cst.Del: Lowering._delete,
    cst.Import: Lowering._import,
    cst.ImportFrom: Lowering._import_from,
    cst.Global: Lowering._declare,
    cst.Nonlocal: Lowering._declare,
    cst.Return: Lowering._return,
    cst.Raise: Lowering._raise,
    cst.Pass: Lowering._jump,
    cst.Break: Lowering._jump,
    cst.Continue: Lowering._jump,
    cst.Assert: Lowering._assert,
    cst.TypeAlias: Lowering._type_alias,
    cst.FunctionDef: Lowering._function,
    cst.ClassDef: Lowering._class,
    cst.If: Lowering._if,
    cst.For: Lowering._for,
    cst.While: Lowering._while,
    cst.Try: Lowering._try,
    cst.TryStar: Lowering._try,
    cst.With: Lowering._with,
    cst.Match: Lowering._match,
}


def lower_timed(module: cst.Module, text: str, cursor: int = 0) -> tree.Function:
    """The whole of ``module`` as the body of a function: what it binds is its own."""
    lowering = Lowering(Cursor(text))
    lowering.cursor.position = cursor
    scope = lowering._open("function")
    body = lowering.block(module)
    names = frozenset(scope.bound - scope.globals)
    return tree.Function("<timed>", 0, (), body, names, globals=frozenset(scope.globals))


def lower(module: cst.Module, text: str) -> tree.Lowered:
    """The top-level statements of ``module``, each line of simple statements as one list."""
    lowering = Lowering(Cursor(text))
    statements: list[list[Stmt]] = []
    for node in module.body:
        line: list[Stmt] = []
        lowering.statement(node, line)
        statements.append(line)
    return tree.Lowered(statements, lowering.uncertain, lowering.lazy_annotations)
