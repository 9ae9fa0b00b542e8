"""Parts of values: attributes, items, elements, and the special methods of the user's classes behind them.

x.name          a property of the user's class runs; of a library's value a table says what comes out
x[key]          so does __getitem__; a key of a dict or a frame is no code
for e in x      uses an iterator up, runs the code of a generator
"""

from __future__ import annotations

from typing import Any

from nbdag.analysis import effects, purity
from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.state import State
from nbdag.analysis.defuse.values import (
    BY_TYPE,
    IMMUTABLE,
    ITERATORS,
    NOTHING,
    UNKNOWN,
    UserFunction,
    Value,
    join,
    unique,
)
from nbdag.analysis.wordlist import words

_NOBODY_KNOWS = words("object wrapped instance partial")
_MAKES_MISSING = words("collections.defaultdict collections.Counter")


class Parts(State):
    """Evaluates what is taken out of a value."""

    def silent(self, node: tree.Expr) -> Value:
        """``node`` where a string in it cannot be code: a key, a comparison."""
        if node.__class__ is tree.Text:
            return BY_TYPE["str"]
        self.quiet += 1
        value = self.expr(node)
        self.quiet -= 1
        return value

    def position(self, node: Any) -> int:
        """An offset for ``node``: that of the name or call it begins with."""
        while node.__class__ in (tree.Attribute, tree.Subscript, tree.Starred, tree.Await):
            node = node.value
        at = getattr(node, "at", None)
        return at if isinstance(at, int) else self.statement_at

    def truth(self, value: Value) -> None:
        if value.klass is not None and self.special(value, "__bool__", []) is None:
            self.special(value, "__len__", [])

    # ------------------------------------------------------------------------------------------ attributes

    def _attribute(self, node: tree.Attribute) -> Value:
        return self.attribute(self.silent(node.value), node.name, self.position(node))

    def attribute(self, value: Value, name: str, at: int) -> Value:
        """Attribute ``name`` of ``value``; a property of a user's class runs."""
        if value.functions:
            self.of_element(value, name)
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

    def of_element(self, value: Value, name: str, called: bool = False) -> None:
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

    # ------------------------------------------------------------------------------------------ special methods

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

    # ------------------------------------------------------------------------------------------ items

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

    # ------------------------------------------------------------------------------------------ effects of names

    def path_effects(self, rules: tuple[effects.Rule, ...], path: str, at: int, end: int = 0) -> None:
        for rule in rules:
            self.effect(rule.kind, path.removeprefix("builtins."), rule.certainty, at, end or at)


def _other_module(index: tuple[tree.Expr, ...]) -> bool:
    """Whether a key of ``sys.modules`` is surely not the session's own module."""
    return len(index) == 1 and isinstance(index[0], tree.Text) and index[0].value != "__main__"
