"""libcst's tree -> the nodes of ``tree.py``: one walk, in textual order, that also finds scopes and offsets.

Not seen: comments, whitespace, the text of annotations that are strings (they are Text nodes like any other).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import libcst as cst

from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.lower_expressions import _NO_TIMED, ExpressionLowering
from nbdag.analysis.defuse.places import Cursor
from nbdag.analysis.defuse.tree import Expr, Stmt

if TYPE_CHECKING:
    from nbdag.analysis.magic_table import Magic

_NO_NAMES: frozenset[str] = frozenset()


class Lowering(ExpressionLowering):
    """Lowers the statements of one text; ``cursor`` must stand before the first of them."""

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
                found.append(tree.Imported(path, self.mangled(first), self.cursor.name(first), first))
            self.bind(found[-1].name)
        return tree.Import(tuple(found))

    def _import_from(self, node: cst.ImportFrom) -> Stmt:
        module = "." * len(node.relative) + (_dotted(node.module) if node.module is not None else "")
        if isinstance(node.names, cst.ImportStar):
            if self.scopes[-1].kind != "module":
                self.uncertain = True
            return tree.Import((), module, self.cursor.name("import"))  # the one word that is there in any case
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
            name = self.mangled(name)
            path = f"{module}.{first}" if not module.endswith(".") else module + first
            found.append(tree.Imported(path, name, at, path))
            self.bind(name)
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
        self.bind(name.id)
        names, bounds = self._type_parameters(node.type_parameters)
        return tree.TypeAlias(name.id, name.at, self.expr(node.value), names, bounds)

    def parameters(self, node: cst.Parameters) -> tuple[tuple[tree.Parameter, ...], tuple[Expr, ...]]:
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
        self.bind(name.id)
        type_names, bounds = self._type_parameters(node.type_parameters)
        parameters, annotations = self.parameters(node.params)
        if node.returns is not None:
            annotations = (*annotations, self.expr(node.returns.annotation))
        scope = self.open("function")
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
        self.bind(name.id)
        type_names, bounds = self._type_parameters(node.type_parameters)
        arguments = self.arguments((*node.bases, *node.keywords))
        scope = self.open("class", node.name.value.lstrip("_"))
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


def lower_timed(module: cst.Module, text: str) -> tree.Function:
    """The whole of ``module`` as the body of a function: what it binds is its own."""
    lowering = Lowering(Cursor(text))
    scope = lowering.open("function")
    body = lowering.block(module)
    names = frozenset(scope.bound - scope.globals)
    return tree.Function("<timed>", 0, (), body, names, globals=frozenset(scope.globals))


def lower(
    module: cst.Module, text: str, magics: Sequence[Magic] = (), timed: Mapping[int, tree.Function] = _NO_TIMED
) -> tree.Lowered:
    """The top-level statements of ``module``, each line of simple statements as one list.

    ``magics`` are those that the names in ``text`` stand for, ``timed`` the functions that some of them run.
    """
    lowering = Lowering(Cursor(text), magics, timed)
    statements: list[list[Stmt]] = []
    for node in module.body:
        line: list[Stmt] = []
        lowering.statement(node, line)
        statements.append(line)
    return tree.Lowered(statements, lowering.uncertain, lowering.lazy_annotations)
