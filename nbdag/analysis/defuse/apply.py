"""What a call of foreign code does to what it is given: by its signature in a table, or, unknown, whatever it can.

np.sort(x)      a table says that nothing is changed
x.sort()        x is a list: a table says that the receiver is changed
lib.g(x, f)     nobody knows: x may be changed, and f may be called
"""

from __future__ import annotations

from dataclasses import replace

from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.follow import Following, Given
from nbdag.analysis.defuse.values import (
    IMMUTABLE,
    ITERATORS,
    NONE,
    NOTHING,
    UNKNOWN,
    Value,
    bounded,
    unique,
)
from nbdag.analysis.purity import Signature
from nbdag.analysis.wordlist import words

NOBODY_KNOWS = Signature(everything=True)
GIVEN_TO_CHANGE = words("out ax cax")  # keywords that mean the same everywhere
_MAKING = words("__new__ __init__ __post_init__ __init_subclass__ __class_getitem__ __set_name__ __del__")


class Applying(Following):
    """Evaluates what foreign code does."""

    # ------------------------------------------------------------------------------------------ by table

    def apply(self, signature: Signature, receiver: Value | None, given: Given, node: tree.Call) -> Value:
        at = node.at
        arguments = [value for _, _, value in given]
        if signature.everything:
            return self.unknown(given, node, receiver)
        loose = _uncopied(node)
        if signature.unless_copied and loose:
            if receiver is not None:
                self.mutate(receiver, at, certain=False, deep=True)
            return self.unknown(given, node, receiver)
        if (signature.receiver or signature.perhaps) and receiver is not None:
            self.mutate(receiver, at, certain=signature.receiver)
            if signature.deep:
                self.mutate(Value(shared=receiver.inner), at, certain=False)
        inplace = signature.inplace and receiver is not None and self._inplace(node)
        if inplace and receiver is not None:
            self.mutate(receiver, at)
        for position in (*signature.positions, *signature.doubtful):
            # out, far behind, only where no keyword stands: np.sum(a, axis=0, dtype=d, where=mask)
            if position < len(arguments) and (position < 2 or not given[position][0]):
                self.mutate(arguments[position], at, certain=position in signature.positions)
        by_position = sum(not keyword and not star for keyword, star, _ in given)
        overwrites = signature.overwrites is not None and by_position > signature.overwrites
        if overwrites or any(keyword.startswith("overwrite") for keyword in loose):
            signature = replace(signature, view=True)
            for value in arguments:
                self.mutate(value, at, certain=False)
        for keyword, _, value in given:
            if keyword in signature.keywords or keyword in GIVEN_TO_CHANGE:
                self.mutate(value, at)
            if value.type in ITERATORS:
                self.mutate(value, at)
        if receiver is not None and receiver.type == "generator":
            self.iterate(receiver, at)
        if signature.holds and receiver is not None:
            self.put_into(receiver, arguments)
        self.call_back(given, node, signature, receiver)
        if inplace:
            return NONE
        if any(keyword.startswith("copy") for keyword in loose) and not signature.view:
            signature = replace(signature, view=True)
        found = self._returned(signature, receiver, arguments)
        if found.immutable or found.path:
            return found
        # total = np.add(a, b, out=c) is c, and drawn = df.plot(ax=ax) is ax.
        same = [value for keyword, _, value in given if keyword in GIVEN_TO_CHANGE]
        same += [arguments[one] for one in signature.positions if one < len(arguments) and not given[one][0]]
        roots = frozenset().union(*(value.own | value.shared for value in same)) - found.own
        if roots <= found.shared:
            return found
        return Value(
            found.type, "", found.own, found.shared | roots, found.inner, found.functions, found.klass, found.made,
            found.elements,
        )  # fmt: skip

    @staticmethod
    def _inplace(node: tree.Call) -> bool:
        for argument in node.arguments:
            if argument.keyword in ("inplace", "in_place"):
                return not (isinstance(argument.value, tree.Constant) and argument.value.value is False)
        return False

    def _returned(self, signature: Signature, receiver: Value | None, arguments: list[Value]) -> Value:
        kind = signature.result
        if kind in IMMUTABLE:
            return Value(kind)
        if signature.same:
            source = receiver if receiver is not None else arguments[0] if arguments else UNKNOWN
            return source
        sources = ([] if receiver is None else [receiver]) + (arguments if receiver is None or signature.parts else [])
        if signature.element:
            taken = receiver if receiver is not None else arguments[0] if arguments else UNKNOWN
            if taken.elements and taken.type != "dict":
                found = self.iterate(taken, self.statement_at)
            else:
                found = taken.part(kind)
            # d.get(k, default), max(a, b): any of the arguments
            others = [value for value in arguments if value is not taken and not value.immutable and not value.path]
            roots = frozenset().union(*(value.roots for value in others))
            if not roots:
                return found
            functions = unique((*found.functions, *(function for value in others for function in value.functions)))
            return Value(None, "", NOTHING, found.own | found.shared | roots, found.inner, functions)
        if signature.view:
            found = Value(kind)
            for source in sources:
                view = source.view(kind)
                found = Value(
                    kind, "", found.own, found.shared | view.shared, found.inner | view.inner,
                    unique((*found.functions, *view.functions)),
                )  # fmt: skip
            return found
        if signature.parts:
            inner = frozenset().union(*(source.roots for source in sources if not source.immutable))
            functions = unique(tuple(function for source in sources for function in source.functions))
            functions = tuple(f for f in functions if not f.code.generator)
            return Value(kind, inner=inner, functions=functions)
        return Value(kind)

    # ------------------------------------------------------------------------------------------ unknown callees

    def unknown(self, given: Given, node: tree.Call, callee: Value | None, kind: str = "object") -> Value:
        """Nobody knows what is called: it may change what it is given, call what can be called, return any of it."""
        at = node.at
        if callee is not None and callee.type == "object":
            self.mutate(callee, at, certain=False)
        sources = [value for _, _, value in given]
        for keyword, _, value in given:
            if value.path and value.type is None:
                continue  # a module or a function of one
            self.mutate(value, at, certain=keyword == "out", deep=True)
        self.call_back(given, node, NOBODY_KNOWS)
        shared = frozenset().union(*(v.own | v.shared | v.inner for v in sources if not v.immutable and not v.path))
        functions = unique(tuple(function for value in sources for function in value.functions))
        if kind == "object" and any(not function.stands_for_instance for function in functions):
            kind = "wrapped"
        return Value(kind, shared=bounded(shared), functions=functions)

    def call_back(
        self, given: Given, node: tree.Call, signature: Signature, receiver: Value | None = None,
        only_iterators: bool = False,
    ) -> None:  # fmt: skip
        """The functions among the arguments may be called, with parts of the other arguments and of the receiver."""
        if self.deferred:
            return
        callers = [value for _, _, value in given if value.functions or value.klass is not None]
        callers += [part for _, _, value in given for part in (value.elements or {}).values() if part.klass is not None]
        if receiver is not None and receiver.functions:
            callers.append(receiver)
        if not callers:
            return
        shared = frozenset().union(
            *(v.own | v.shared | v.inner for _, _, v in given if not v.immutable and not v.path and not v.functions)
        )
        if receiver is not None:
            shared |= receiver.own | receiver.shared | receiver.inner
        anything = Value(shared=shared)
        before = self.site
        if self.site is None:
            self.site = (node.at, max(node.end, node.at + 1))
        self.doubt += 1
        for value in callers:
            for function in value.functions:
                if function.stands_for_instance and not only_iterators:
                    held = Value("instance", shared=value.roots, klass=function.owner, made=True)
                    self._special_uses(held, signature, anything)
                elif not only_iterators or function.code.generator:
                    self.follow(function, [("", "*", anything), ("", "**", anything)], value)
            if value.klass is not None and not only_iterators:
                self._special_uses(value, signature, anything)
        self.doubt -= 1
        self.site = before

    def _special_uses(self, value: Value, signature: Signature, anything: Value) -> None:
        """What a library can do with an instance or class of the user's: call its special methods, or, if nobody knows
        the library, any method."""
        owner = value.klass
        assert owner is not None
        if not value.made:
            if signature.result in IMMUTABLE:
                return  # isinstance(x, K)
            value = Value("instance", own=value.own, shared=value.shared, klass=owner, made=True)
        # Once per statement is enough: whatever is called, it finds the same roots again.
        key = ("special", id(owner), signature.everything, value.own | value.shared, anything.shared)
        if key in self.followed:
            return
        self.followed[key] = NONE
        for name, function in owner.methods():
            if signature.everything or (name[:2] == "__" and (name not in _MAKING or value.type == "instance")):
                self.follow_bound(function, value, [("", "*", anything)], value)


def _uncopied(node: tree.Call) -> list[str]:
    """The keywords by which a call asks not to copy what it is given: ``copy=False``, ``overwrite_x=True``."""
    found = []
    for argument in node.arguments:
        name = argument.keyword
        if name and name.startswith(("copy", "overwrite")):
            harmless = name.startswith("copy")
            if not (isinstance(argument.value, tree.Constant) and argument.value.value is harmless):
                found.append(name)
    return found
