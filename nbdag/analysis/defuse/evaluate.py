"""Statements: evaluated one after the other, what they do is recorded for the top-level statement at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nbdag.analysis import purity
from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.assign import Assigning
from nbdag.analysis.defuse.state import Recorded
from nbdag.analysis.defuse.values import UNKNOWN, Value


class Evaluator(Assigning):
    """Evaluates whole statements."""

    def record(self, body: Iterable[tree.Stmt], at: int) -> Recorded:
        """What one top-level statement does, which begins at offset ``at``."""
        self.out = Recorded()
        self.definite = set()
        self.followed = {}
        self.steps = 0
        self.changes.clear()
        self.statement_at = at
        self.early = False
        self.run(body)
        return self.out

    def run(self, body: Iterable[tree.Stmt]) -> bool:
        """Evaluates ``body``; whether control surely does not go on behind it."""
        # What stands behind a statement that leaves never runs.
        return any(_STATEMENTS[statement.__class__](self, statement) for statement in body)

    # ------------------------------------------------------------------------------------------ simple statements

    def _expression(self, node: tree.Expression) -> bool:
        if node.value.__class__ is tree.Text:
            return False
        self.unused = node.value.__class__ is tree.Call
        self.expr(node.value)
        self.unused = False
        return False

    def _import(self, node: tree.Import) -> bool:
        for imported in node.imported:
            path = purity.canonical(imported.bind)
            value = Value(purity.of_attribute(path.rpartition(".")[0], path.rpartition(".")[2]), path)
            if imported.path.startswith("."):
                value = Value(path=imported.path)
            old = self.session.get(imported.name)
            if "." in imported.path and imported.bind == imported.name and old is not None and old.path == path:
                self.read(imported.name, imported.at)  # import a.b after import a: changes a
            self.bind(imported.name, value, imported.at)
        if node.star is not None:
            self._import_star(node.star, node.star_at)
        return False

    def _import_star(self, module: str, at: int) -> None:
        from nbdag.analysis.defuse.stars import is_standard, names_of

        names = names_of(module)
        if names is None:
            self.opaque()
            return
        # Another environment may hold another version of a module that is not Python's own.
        doubt = 0 if is_standard(module) else 1
        self.doubt += doubt
        for name in names:
            self.bind(name, Value(path=purity.canonical(f"{module}.{name}")), at)
        self.doubt -= doubt

    def _assert(self, node: tree.Assert) -> bool:
        self.tested(node.test)
        if node.message is not None:
            self.doubt += 1
            self.silent(node.message)
            self.doubt -= 1
        return False

    def _jump(self, node: tree.Jump) -> bool:
        if node.kind == "pass":
            return False
        self.quiet += node.kind == "raise"
        values = [self.expr(value) for value in node.values]
        self.quiet -= node.kind == "raise"
        if node.kind == "return" and values:
            self.returned.append(values[0])
        elif node.kind == "return":
            self.returned.append(Value("None"))
        if self.branch and node.kind in ("return", "raise") and self.in_function():
            self.early = True
        return True

    # ------------------------------------------------------------------------------------------ control flow

    def _maybe(self, body: Iterable[tree.Stmt]) -> tuple[set[str], bool]:
        """Evaluates ``body`` as something that may not happen; what is surely bound behind it; whether it leaves."""
        before = self.definite
        self.definite = set(before)
        self.doubt += 1
        self.branch += 1
        left = self.run(body)
        self.doubt -= 1
        self.branch -= 1
        after, self.definite = self.definite, before
        return after, left

    def _if(self, node: tree.If) -> bool:
        known = self.tested(node.test)
        if known is not None:
            return self.run(node.body if known else node.otherwise)
        before = self.definite
        first, first_left = self._maybe(node.body)
        second, second_left = self._maybe(node.otherwise)
        if first_left and second_left:
            self.definite = first | second
        elif first_left:
            self.definite = second
        elif second_left:
            self.definite = first
        else:
            self.definite = first & second
        self.settle(before)
        return first_left and second_left

    def _for(self, node: tree.For) -> bool:
        source = self.expr(node.iterable)
        at = self.position(node.iterable)
        before = set(self.definite)
        for _ in range(self._rounds()):
            self.doubt += 1
            element = self.iterate(source, at)
            self.doubt -= 1
            self.definite = set(before)
            self.doubt += 1
            self.assign(node.target, element)
            self.doubt -= 1
            self._maybe(node.body)
        self.definite = before
        self._maybe(node.otherwise)
        if source.type in ("generator", "iterator", "file"):
            self.mutate(source, at)
        return False

    def _rounds(self) -> int:
        """A loop is evaluated twice, so that what its end binds is known at its start; not inside another loop."""
        return 1 if self.branch or self.depth > 1 or self.deferred else 2

    def _while(self, node: tree.While) -> bool:
        if self.tested(node.test) is False:
            return self.run(node.otherwise)
        for _ in range(self._rounds()):
            self._maybe(node.body)
        self._maybe(node.otherwise)
        return False

    def _with(self, node: tree.With) -> bool:
        doubtful = False
        for context, target in node.items:
            value = self.expr(context)
            self.entered(value)
            if value.type in ("context", "file", "object"):
                self.mutate(value, self.position(context), certain=False)  # with stack: it is used up
            entered = self.special(value, "__enter__", [])
            called = context.func if isinstance(context, tree.Call) else context
            if entered is not None or value.functions or self._name_of(called) in ("suppress", "raises"):
                doubtful = True
            if target is not None:
                self.assign(target, entered if entered is not None else value)
            self.special(value, "__exit__", [UNKNOWN, UNKNOWN, UNKNOWN])
        if doubtful:
            self._maybe(node.body)
            return False
        return self.run(node.body)

    @staticmethod
    def _name_of(node: tree.Expr) -> str:
        return node.name if isinstance(node, tree.Attribute) else node.id if isinstance(node, tree.Name) else ""

    def _try(self, node: tree.Try) -> bool:
        if not node.handlers:
            left = self.run(node.body)
            return self.run(node.final) or left
        before = set(self.definite)
        sure, left = self._maybe(node.body)
        self.definite = sure
        sure, also = self._maybe(node.otherwise)
        left = left or also
        ends = [] if left else [sure]
        for handler in node.handlers:
            self.definite = set(before)
            if handler.type is not None:
                self.doubt += 1
                self.silent(handler.type)
                self.doubt -= 1
            self.doubt += 1
            self.branch += 1
            if handler.name is not None:
                self.bind(handler.name.id, Value("exception"), handler.name.at)
            gone = self.run(handler.body)
            if handler.name is not None:
                self.delete(handler.name.id, handler.name.at)
            self.doubt -= 1
            self.branch -= 1
            if not gone:
                ends.append(self.definite)
        self.definite = set.intersection(*ends) if ends else before
        self.settle(before)
        return self.run(node.final) or not ends

    def _match(self, node: tree.Match) -> bool:
        subject = self.expr(node.subject)
        before = set(self.definite)
        ends: list[set[str]] = []
        exhaustive = False
        for case in node.cases:
            self.definite = set(before)
            self.doubt += 1
            self.branch += 1
            for read in case.reads:
                self.silent(read)
            for name in case.binds:
                self.bind(name.id, subject.part() if case.reads or len(case.binds) > 1 else subject, name.at)
            if case.guard is not None:
                self.silent(case.guard)
            left = self.run(case.body)
            self.doubt -= 1
            self.branch -= 1
            if not left:
                ends.append(self.definite)
            exhaustive = exhaustive or (not case.reads and case.guard is None and len(case.binds) <= 1)
        if not exhaustive:
            ends.append(before)
        self.definite = set.intersection(*ends) if ends else before
        self.settle(before)
        return False

    def _timed(self, node: tree.Timed) -> bool:
        self.run_timed(node.function, -1)
        self.expr(tree.MagicValue(node.magic, self.statement_at))
        return False


_STATEMENTS: dict[type, Callable[[Any, Any], bool]] = {
    tree.Assign: Evaluator._assign,
    tree.Augment: Evaluator._augment,
    tree.Annotate: Evaluator._annotate,
    tree.Delete: Evaluator._delete,
    tree.Expression: Evaluator._expression,
    tree.Import: Evaluator._import,
    tree.Define: Evaluator.define,
    tree.DefineClass: Evaluator.define_class,
    tree.TypeAlias: Evaluator.type_alias,
    tree.For: Evaluator._for,
    tree.While: Evaluator._while,
    tree.If: Evaluator._if,
    tree.With: Evaluator._with,
    tree.Try: Evaluator._try,
    tree.Match: Evaluator._match,
    tree.Jump: Evaluator._jump,
    tree.Assert: Evaluator._assert,
    tree.Timed: Evaluator._timed,
}
