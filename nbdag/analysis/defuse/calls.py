"""Calls: whom they reach.

f(x)            a user's function: its body is followed with what is known of x
K(x)            a user's class: its __init__ is followed
np.sort(x)      a function with a path, x.sort() a method: the tables know it, or nobody does (``apply.py``)
"""

from __future__ import annotations

import re

from nbdag.analysis import effects, purity
from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.apply import NOBODY_KNOWS, Applying
from nbdag.analysis.defuse.follow import Given
from nbdag.analysis.defuse.state import MAY, MUST
from nbdag.analysis.defuse.values import (
    BY_TYPE,
    IMMUTABLE,
    NONE,
    UNKNOWN,
    UserFunction,
    Value,
    bounded,
    join,
    unique,
)
from nbdag.analysis.effects.randomness import RANDOM_ESTIMATORS, UNSEEDED, without_random_state
from nbdag.analysis.purity import Signature
from nbdag.analysis.wordlist import words
from nbdag.model.facts import EffectKind

# Methods of this name change their receiver whatever it is, if nothing is done with the result.
MUTATORS = words(
    "append extend insert remove clear sort reverse update add discard setdefault popitem pop appendleft popleft "
    "extendleft rotate put put_nowait fit fit_transform partial_fit set write writelines seek close __setitem__ "
    "__delitem__ add_node add_edge add_nodes_from add_edges_from remove_node remove_edge fill load_state_dict step "
    "zero_grad train eval backward"
)
SURE_MUTATORS = words("append extend insert clear reverse add discard pop popitem setdefault popleft update")
OPAQUE_BUILTINS = words("exec eval compile globals locals __import__ get_ipython execfile")
FRAMES = words("sys._getframe inspect.currentframe inspect.stack inspect.getouterframes")
# Functions that look for names in the text they are given, though they change nothing.
EVALUATORS = ("pandas.eval", "statsmodels.formula.", "patsy.", "string.Template", "duckdb.", "pandasql.", "numexpr.",
              "timeit.", "polars.sql", "polars.SQLContext")  # fmt: skip
_STORERS = words("append extend insert add appendleft update setdefault put")
_ON_ATTRIBUTES = frozenset(
    ("builtins.setattr", "builtins.delattr", "builtins.getattr", "builtins.vars", "builtins.hasattr")
)
_QUERY_NAME = re.compile(r"@([^\W\d]\w*)")


class Calls(Applying):
    """Evaluates calls."""

    unused = False  # the value of the call at hand is thrown away

    def call(self, node: tree.Call) -> Value:
        unused, self.unused = self.unused, False
        func = node.func
        if func.__class__ is tree.Attribute:
            name: str = func.name
            # "{a}".format(**globals()): the text says which names
            receiver = self.expr(func.value) if name in ("format", "format_map") else self.silent(func.value)
            if receiver.functions:
                self.of_element(receiver, name, called=True)
            if receiver.path or receiver.klass is not None:
                callee = self.attribute(receiver, name, node.at)
                if callee.path or callee.functions or callee.klass is not None:
                    return self._call_value(callee, node)
            return self._call_method(receiver, name, node, unused)
        if func.__class__ is tree.Name and func.id == "super" and not node.arguments:
            return self.super_of()
        return self._call_value(self.expr(func), node)

    def _arguments(self, node: tree.Call, quiet: bool) -> Given:
        given: Given = []
        around, self.quiet = self.quiet, int(quiet)
        for argument in node.arguments:
            if argument.__class__ is tree.Argument and argument.star == "*":
                value = self.expr(argument.value)
                given.append(("", "*", self.iterate(value, self.position(argument.value))))
            elif argument.star == "**":
                given.append(("", "**", self.expr(argument.value).part()))
            else:
                given.append((argument.keyword, "", self.expr(argument.value)))
        self.quiet = around
        return given

    # ------------------------------------------------------------------------------------------ plain callees

    def _call_value(self, callee: Value, node: tree.Call) -> Value:
        path = callee.path
        if path and not callee.functions and callee.klass is None:
            return self._call_path(purity.canonical(path), node)
        # K.m = f puts f into K, but K() is no call of f.
        instance = callee.klass is not None and callee.type in ("class", "instance")
        if not instance and any(not function.stands_for_instance for function in callee.functions):
            given = self._arguments(node, quiet=True)
            return self._call_functions(callee, given, node)
        if callee.functions:
            self.of_element(callee, "__call__", called=True)
        if callee.klass is not None:
            given = self._arguments(node, quiet=callee.klass.known())
            if callee.made:
                made = self.special(callee, "__call__", [value for _, _, value in given])
                return made if made is not None else self.unknown(given, node, callee)
            return self.instantiate(callee, given, node)
        if callee.type in ("pandas.Plot",):
            given = self._arguments(node, quiet=True)
            self.effect(EffectKind.DISPLAY, "plot", MUST, node.at, node.end)
            return Value("matplotlib.Axes")
        given = self._arguments(node, quiet=False)
        return self.unknown(given, node, callee)

    def _call_functions(self, callee: Value, given: Given, node: tree.Call) -> Value:
        if self.deferred:
            return self.unknown(given, node, callee)
        result: Value | None = None
        kind = callee.type or ""
        several = len(callee.functions) > 1 or kind in ("wrapped", "object") or "." in kind  # it need not be called
        self.doubt += several
        for function in callee.functions:
            before = self.site
            if self.site is None:
                self.site = (node.at, max(node.end, node.at + 1))
            returned = self.follow(function, given, callee)
            self.site = before
            result = returned if result is None else join(result, returned)
        self.doubt -= several
        if callee.type == "cached":
            self.mutate(callee, node.at, certain=False)
        if callee.type == "wrapped":
            # A decorator or partial that nobody knows: the arguments reach it too.
            for _, _, value in given:
                self.mutate(value, node.at, certain=False, deep=True)
        assert result is not None
        return result

    def instantiate(self, callee: Value, given: Given, node: tree.Call) -> Value:
        """A new instance of the user's class ``callee``."""
        owner = callee.klass
        assert owner is not None
        instance = Value("instance", klass=owner, made=True)
        instance.inner = frozenset().union(*(v.roots for _, _, v in given if not v.immutable and not v.path))
        instance.functions = unique(tuple(f for _, _, v in given for f in v.functions))
        found = owner.find("__init__") or owner.find("__new__") or owner.find("__post_init__")
        before = self.site
        if self.site is None:
            self.site = (node.at, max(node.end, node.at + 1))
        if found is not None and found[1].functions:
            self.follow_bound(found[1].functions[0], instance, given, instance)
        self.site = before
        foreign = [path for path in owner.foreign if path != "object"]
        unknown = not owner.known() and not all(purity.of_function(purity.canonical(path)) for path in foreign)
        if unknown or self.deferred:
            self.unknown(given, node, None)
        instance.functions = ()
        return instance

    def _call_path(self, path: str, node: tree.Call) -> Value:
        name = path.removeprefix("builtins.")
        if name in OPAQUE_BUILTINS or (name in ("vars", "dir") and not node.arguments):
            given = self._arguments(node, quiet=False)
            self.opaque()
            self.call_back(given, node, Signature())
            return Value("object")
        signature = purity.of_function(path)
        before = self.quiet
        known = signature is not None and not signature.opaque and not signature.everything
        known = known and not path.startswith(EVALUATORS)
        given = self._arguments(node, quiet=known)
        self.quiet = before
        rules = effects.of_call(path)
        for rule in rules:
            if rule.judge is None or rule.judge(_shape(node, given)):
                self.effect(rule.kind, name, rule.certainty, node.at, node.end)
        if path == "functools.partial" and given and given[0][2].functions:
            return self._partial(given)
        if path in ("functools.wraps", "functools.lru_cache"):
            # wraps(f) and lru_cache(size) make decorators, and call nothing.
            made = given[0][2] if given and path == "functools.lru_cache" else UNKNOWN
            return Value("cached", functions=made.functions) if made.functions else Value(path=path)
        if path in _ON_ATTRIBUTES and given:
            return self._on_attributes(path, given, node)
        if signature is None and (path.rpartition(".")[2] in ("query", "evaluate") or path in FRAMES):
            self.opaque()
        if signature is None:
            kind = path if path.rpartition(".")[2][:1].isupper() else "object"
            return self.unknown(given, node, None, kind)
        if signature.opaque or path in FRAMES:
            self.opaque()
        result = self.apply(signature, None, given, node)
        if path in RANDOM_ESTIMATORS and without_random_state(_shape(node, given)):
            return Value(UNSEEDED, "", result.own, result.shared, result.inner, result.functions)
        if path in ("builtins.zip", "builtins.enumerate"):
            parts = [value.part() for _, _, value in given[: None if path == "builtins.zip" else 1]]
            numbered = [BY_TYPE["int"], *parts] if path == "builtins.enumerate" else parts
            result.elements = {f"\0{number}": part for number, part in enumerate(numbered)}
        if signature.result is None and path.rpartition(".")[2][:1].isupper():
            return Value(path, "", result.own, result.shared, result.inner, result.functions)
        return result

    def _partial(self, given: Given) -> Value:
        first = given[0][2]
        positional = tuple(value for keyword, star, value in given[1:] if not keyword and not star)
        inner = frozenset().union(*(value.roots for _, _, value in given))
        functions = tuple(
            UserFunction(f.code, f.closure, f.defaults, f.owner, f.receiver, (*f.given, *positional))
            for f in first.functions
        )
        return Value("partial", inner=inner, functions=functions)

    def _on_attributes(self, path: str, given: Given, node: tree.Call) -> Value:
        """``setattr``, ``getattr`` and their kin: on a module they may touch anything."""
        target = given[0][2]
        if target.path:
            self.opaque()
        if path in ("builtins.setattr", "builtins.delattr"):
            self.mutate(target, node.at)
            if len(given) > 2:
                self.put_into(target, [given[2][2]])
            return NONE
        if path == "builtins.getattr" and len(node.arguments) > 1:
            key = node.arguments[1].value
            if isinstance(key, tree.Text):
                return self.attribute(target, key.value, node.at)
            if target.klass is not None and target.made:
                # Nobody knows which; any method may be called by what is returned.
                bound = tuple(
                    UserFunction(f.code, f.closure, f.defaults, f.owner, target, f.given)
                    for _, f in target.klass.methods()
                )
                return Value("method", "", target.own, target.shared, target.inner, bound)
        return target.part()

    # ------------------------------------------------------------------------------------------ methods

    def _call_method(self, receiver: Value, name: str, node: tree.Call, unused: bool) -> Value:
        kind = receiver.type
        if kind is not None and receiver.klass is None:
            signature = purity.of_method(kind, name)
            if signature is not None:
                if signature.opaque and self._query(node):
                    signature = Signature(result=signature.result, inplace=signature.inplace)
                quiet = not signature.opaque
                given = self._arguments(node, quiet)
                path = f"{kind}.{name}"
                for rule in effects.of_call(path):
                    if rule.judge is None or rule.judge(_shape(node, given)):
                        self.effect(rule.kind, path, rule.certainty, node.at, node.end)
                if signature.opaque:
                    self.opaque()
                return self.apply(signature, receiver, given, node)
        inherited = self._inherited(receiver, name)
        query = name in ("query", "eval", "evaluate") and not (receiver.klass is not None and receiver.klass.known())
        self.doubt += 1
        named = query and self._query(node)
        self.doubt -= 1
        given = self._arguments(node, quiet=False)
        if query and not named and (name == "query" or any(v.type == "str" for _, _, v in given)):
            self.opaque()
        for rule in effects.of_unknown_method(name):
            if rule.judge is None or rule.judge(_shape(node, given)):
                self.effect(rule.kind, "." + name, MAY, node.at, node.end)
        if inherited:
            return self.apply(inherited, receiver, given, node)
        if kind in IMMUTABLE:
            return self.unknown(given, node, None)
        flagged = self._flag(given, "inplace")
        certain = name in MUTATORS and (unused or name in SURE_MUTATORS)
        if receiver.klass is not None and receiver.klass.known():
            certain = False
        self.mutate(receiver, node.at, certain=certain or flagged, deep=not certain)
        if name in MUTATORS:
            self.put_into(receiver, [value for _, _, value in given])
            if certain and name in _STORERS:
                self.call_back(given, node, Signature(), only_iterators=True)
                return receiver.part()
        else:
            # stack.callback(f): nobody knows what it keeps. Data that is kept shows as a link; a function would not.
            self.put_into(receiver, [value for _, _, value in given if value.functions and value.is_callable])
        result = self.unknown(given, node, None)
        if receiver.functions:
            # m = Minuit(cost, 1); m.migrad(): what it was given may be called now.
            self.call_back(given, node, NOBODY_KNOWS, receiver)
        holder = receiver.view()
        shared = bounded(result.shared | holder.shared | receiver.inner)
        return Value("object", "", holder.own, shared, result.inner, unique((*result.functions, *receiver.functions)))

    def _inherited(self, receiver: Value, name: str) -> Signature | None:
        """A table's word for a method that a user's class inherits from a library's."""
        if receiver.klass is None or not receiver.made:
            return None
        for base in receiver.klass.foreign:
            signature = purity.of_method(purity.canonical(base), name)
            if signature is not None:
                return signature
        return None

    def _query(self, node: tree.Call) -> bool:
        """Records the names in ``df.query("a > @limit")``; False if the text is not known."""
        if not node.arguments or not isinstance(node.arguments[0].value, tree.Text):
            return False
        text = node.arguments[0].value.value
        for name in _QUERY_NAME.findall(text):
            if self.frame is None or name not in self.frame.names:
                self.read(name, node.at)
        self.mention(text)
        return True

    @staticmethod
    def _flag(given: Given, name: str) -> bool:
        return any(keyword == name and value.type == "bool" for keyword, _, value in given)


def _shape(node: tree.Call, given: Given) -> effects.Shape:
    """What rules may look at: the constants among the arguments, and the types."""
    positional: list[object] = []
    keywords: dict[str, object] = {}
    for argument, (_, _, value) in zip(node.arguments, given, strict=True):
        constant: object = effects.UNKNOWN
        node_value = argument.value
        known = isinstance(node_value, tree.Constant) and node_value.type in ("None", "bool")
        if isinstance(node_value, tree.Text) or (known and isinstance(node_value, tree.Constant)):
            constant = node_value.value
        elif value.type is not None:
            constant = effects.Typed(value.type)
        if argument.star:
            keywords[argument.star] = constant
        elif argument.keyword:
            keywords[argument.keyword] = constant
        else:
            positional.append(constant)
    return effects.Shape(tuple(positional), keywords)
