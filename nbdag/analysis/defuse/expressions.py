"""Expressions: what evaluating one reads, and what is known of its value."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from nbdag.analysis import effects, purity
from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.state import BUILTINS, MAY, MUST, READ, State
from nbdag.analysis.defuse.values import (
    BY_TYPE,
    IMMUTABLE,
    ITERATORS,
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
from nbdag.model import EffectKind

_OF_OPERATOR = {
    "Add": "add", "Subtract": "sub", "Multiply": "mul", "Divide": "truediv", "Modulo": "mod", "Power": "pow",
    "MatrixMultiply": "matmul", "FloorDivide": "floordiv", "BitOr": "or", "BitAnd": "and", "BitXor": "xor",
    "LeftShift": "lshift", "RightShift": "rshift",
}  # fmt: skip
_OF_UNARY = {"Minus": "__neg__", "Plus": "__pos__", "BitInvert": "__invert__"}
_COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__")
_FORMATTING = ("__format__", "__str__", "__repr__")
_NUMBERS = words("int float complex bool scalar")
_NOBODY_KNOWS = words("object wrapped instance partial")
_MAKES_MISSING = words("collections.defaultdict collections.Counter")
_ARRAYS = words("numpy.ndarray pandas.DataFrame pandas.Series pandas.Index polars.DataFrame polars.Series")


class Expressions(State):
    """Evaluates expressions; calls are in ``calls.py``."""

    def expr(self, node: tree.Expr) -> Value:
        kind = node.__class__
        if kind is tree.Name:
            return self.read(node.id, node.at)  # type: ignore[union-attr]
        return _EXPRESSIONS[kind](self, node)

    def _constant(self, node: tree.Constant) -> Value:
        if isinstance(node.value, str) and not self.quiet:
            self.mention(node.value)  # bytes
        return BY_TYPE[node.type]

    def tested(self, node: tree.Expr) -> bool | None:
        """Evaluates a condition; whether it holds, where its text says so: ``if False``, ``if TYPE_CHECKING``."""
        value = self.silent(node)
        self._truth(value)
        if isinstance(node, tree.Constant) and node.type in ("bool", "None", "int"):
            return None if node.type == "int" and node.value is None else bool(node.value)
        return False if value.path == "typing.TYPE_CHECKING" else None

    def _truth(self, value: Value) -> None:
        if value.klass is not None and self.special(value, "__bool__", []) is None:
            self.special(value, "__len__", [])

    def perhaps(self, value: Value, names: tuple[str, ...], arguments: list[Value]) -> None:
        """``value`` may be asked for these special methods, if it is an instance of a class of the user's."""
        if value.klass is not None:
            # Once per statement is enough: whatever runs, it finds the same roots again.
            key = ("perhaps", id(value.klass), names, value.own | value.shared, *(a.own | a.shared for a in arguments))
            if key in self.followed:
                return
            self.followed[key] = UNKNOWN
            self.doubt += 1
            for name in names:
                self.special(value, name, arguments)
            self.doubt -= 1

    def _text(self, node: tree.Text) -> Value:
        if not self.quiet:
            self.mention(node.value)
        return BY_TYPE["str"]

    def silent(self, node: tree.Expr) -> Value:
        """``node`` where a string in it cannot be code: a key, a comparison."""
        if node.__class__ is tree.Text:
            return BY_TYPE["str"]
        self.quiet += 1
        value = self.expr(node)
        self.quiet -= 1
        return value

    # ------------------------------------------------------------------------------------------ parts of values

    def _attribute(self, node: tree.Attribute) -> Value:
        return self.attribute(self.silent(node.value), node.name, self.position(node))

    def attribute(self, value: Value, name: str, at: int) -> Value:
        """Attribute ``name`` of ``value``; a property of a user's class runs."""
        if value.functions:
            self._of_element(value, name)
        if value.klass is not None:
            found = self._class_attribute(value, name, at)
            if found is not None:
                return found
        if value.path:
            path = purity.canonical(f"{value.path}.{name}")
            self.path_effects(effects.of_read(path), path, at)
            kind = purity.of_attribute(value.path, name)
            return Value(kind, path, value.own, value.shared, functions=value.functions)
        if value.type is not None:
            kind = purity.of_attribute(value.type, name)
            if kind in IMMUTABLE:
                return Value(kind)
            return value.part(kind)
        return value.part()

    def _of_element(self, value: Value, name: str, called: bool = False) -> None:
        """``value`` may be an instance that was taken out of something: its property or method ``name`` may run."""
        for function in value.functions:
            owner = function.owner
            if function.stands_for_instance and owner is not None:
                found = owner.find(name) or owner.find("__getattr__")
                if found is None or not found[1].is_callable or not (called or name in found[0].properties):
                    continue
                self.doubt += 1
                instance = Value("instance", "", NOTHING, value.own | value.shared, value.inner, (), owner, True)
                self.follow_bound(found[1].functions[0], instance, [("", "*", UNKNOWN)], instance)
                self.doubt -= 1

    def _class_attribute(self, value: Value, name: str, at: int) -> Value | None:
        owner = value.klass
        assert owner is not None
        if name == "__class__":
            return Value(klass=owner)
        found = owner.find(name)
        if found is None:
            if value.made and name in owner.fields:
                known = owner.fields[name]
                held = value.part(known.type)
                return Value(
                    held.type, known.path, held.own, held.shared, held.inner,
                    unique((*held.functions, *known.functions)), known.klass, known.made,
                )  # fmt: skip
            dynamic = owner.find("__getattr__") if value.made else None
            if dynamic is not None and dynamic[1].functions:
                return self.follow_bound(dynamic[1].functions[0], value, [("", "", BY_TYPE["str"])], value)
            return None
        home, attribute = found
        if not attribute.is_callable:
            held = value.part(attribute.type)
            named = self.session.get(home.name)
            if named is not None and named.klass is home and not named.made:
                attribute = attribute.holding((named,))  # K.items is a part of K, whatever instance it is reached by
            return Value(
                held.type, attribute.path, held.own, held.shared | attribute.roots, held.inner, attribute.functions,
                attribute.klass, attribute.made,
            )  # fmt: skip
        if name in home.properties and value.made:
            if name in home.cached:
                self.mutate(value, at, certain=False)
            return self.follow_bound(attribute.functions[0], value, [], value)
        if name in home.unbound or (not value.made and name not in home.of_class):
            return Value(own=value.own, shared=value.shared, functions=attribute.functions)
        receiver = value if value.made else Value(own=value.own, shared=value.shared, klass=owner)
        bound = tuple(
            UserFunction(f.code, f.closure, f.defaults, f.owner or home, receiver, f.given) for f in attribute.functions
        )
        return Value("method", "", value.own, value.shared, value.inner, bound)

    def follow_bound(
        self, function: UserFunction, receiver: Value, arguments: list[tuple[str, str, Value]], callee: Value
    ) -> Value:
        bound = UserFunction(function.code, function.closure, function.defaults, function.owner, receiver)
        return self.follow(bound, arguments, callee)

    def special(self, value: Value, name: str, arguments: list[Value]) -> Value | None:
        """What the user's class of ``value`` does for the special method ``name``; None where it has none."""
        if value.klass is None or not value.made or self.deferred:
            return None
        found = value.klass.find(name)
        if found is None or not found[1].functions:
            return None
        return self.follow_bound(found[1].functions[0], value, [("", "", given) for given in arguments], value)

    def position(self, node: Any) -> int:
        """An offset for ``node``: that of the name or call it begins with."""
        while node.__class__ in (tree.Attribute, tree.Subscript, tree.Starred, tree.Await):
            node = node.value
        at = getattr(node, "at", None)
        return at if isinstance(at, int) else self.statement_at

    def _subscript(self, node: tree.Subscript) -> Value:
        value = self.silent(node.value)
        # A key of a dict or a frame is no code; nobody knows what something unknown does with it.
        keyed = value.type is not None and value.type not in _NOBODY_KNOWS and value.klass is None
        around, self.quiet = self.quiet, int(keyed)
        index = [self.expr(part) for part in node.index]
        self.quiet = around
        if value.type in _MAKES_MISSING:
            self.mutate(value, self.position(node), certain=False)
        if value.path and value.type is None:
            path = value.path + "[]"
            if value.path == "sys.modules" and not _other_module(node.index):
                self.opaque()
            self.path_effects(effects.of_read(value.path), value.path, self.position(node))
            return Value(path=path, own=value.own, shared=value.shared)
        return self.item(value, index, node)

    def item(self, value: Value, index: list[Value], node: tree.Subscript | None = None) -> Value:
        """``value[index]``."""
        special = self.special(value, "__getitem__", index)
        if special is not None:
            return special
        if value.elements is not None and node is not None and len(node.index) == 1:
            key = node.index[0]
            if isinstance(key, tree.Text) and key.value in value.elements:
                return self._element(value, value.elements[key.value])
        kind = value.type
        first = index[0].type if index else None
        if kind in ("pandas.DataFrame", "polars.DataFrame"):
            if first == "str":
                return value.view(kind.replace("DataFrame", "Series"))  # pandas < 3: may be one
            if first in ("list", "pandas.Series", "numpy.ndarray"):
                return Value(kind)
            return value.view()
        if kind in ("numpy.ndarray", "pandas.Series", "torch.Tensor"):
            if first in ("list", "numpy.ndarray", "pandas.Series") and len(index) == 1 and not (node and node.slice):
                return Value(kind)
            return value.view(kind if node is not None and node.slice else None)
        if kind in ("list", "tuple") and node is not None and node.slice:
            return Value(kind, inner=value.roots, functions=value.functions)  # a new one that holds the same
        if kind is not None:
            return value.part(purity.of_attribute(kind, "[]"))
        return value.part()

    def _element(self, holder: Value, element: Value) -> Value:
        """``element`` as it is taken out of ``holder``."""
        if element.immutable:
            return element
        return Value(
            element.type, element.path, holder.own, holder.shared | element.own | element.shared, element.inner,
            element.functions, element.klass, element.made, element.elements,
        )  # fmt: skip

    def iterate(self, value: Value, at: int) -> Value:
        """One element of ``value``; iterating uses an iterator up and runs a generator's code."""
        if value.type in ITERATORS:
            self.mutate(value, at)
        if value.type == "generator":
            for function in value.functions:
                self.doubt += 1
                self.follow(function, [("", "*", UNKNOWN)], value)
                self.doubt -= 1
        self.entered(value)
        special = self.special(value, "__iter__", [])
        if special is not None:
            return special.part()
        self.special(value, "__next__", [])
        if value.type == "iterator" and value.elements:
            return Value("tuple", inner=value.inner, functions=value.functions, elements=value.elements)
        if value.elements:
            found: Value | None = None
            for element in value.elements.values():
                taken = self._element(value, element)
                found = taken if found is None else join(found, taken)
            if value.type != "dict" and found is not None:
                return found
        if value.type in ("str", "bytes", "range", "dict", "pandas.DataFrame"):
            return BY_TYPE["scalar"] if value.type != "dict" else Value(functions=value.functions)
        kind = None if value.type is None else purity.of_attribute(value.type, "[]")
        return value.part(kind)

    def entered(self, value: Value) -> None:
        """``for x in lib.sampled(f)``, ``with lib.traced(f)``: nobody knows when a library calls what it holds."""
        kind = value.type or ""
        if kind in ("object", "iterator", "wrapped", "context") or ("." in kind and value.klass is None):
            self.doubt += 1
            for function in value.functions:
                if not function.stands_for_instance:
                    self.follow(function, [("", "*", UNKNOWN)], value)
            self.doubt -= 1

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

    def _operation(self, node: tree.Operation) -> Value:
        if node.operator == "Compare":
            return self._compared(node)
        values = [self.expr(operand) for operand in node.operands]
        if len(values) == 1:
            if node.operator == "Not":
                self._truth(values[0])
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
        self._truth(value)
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

    def assign(self, target: tree.Expr, value: Value) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------ effects, magics

    def path_effects(self, rules: tuple[effects.Rule, ...], path: str, at: int, end: int = 0) -> None:
        for rule in rules:
            self.effect(rule.kind, path.removeprefix("builtins."), rule.certainty, at, end or at)

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


def _other_module(index: tuple[tree.Expr, ...]) -> bool:
    """Whether a key of ``sys.modules`` is surely not the session's own module."""
    return len(index) == 1 and isinstance(index[0], tree.Text) and index[0].value != "__main__"


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
__all__ = ["MAY", "MUST", "EffectKind", "Expressions"]
