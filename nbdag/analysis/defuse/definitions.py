"""Definitions: functions, classes, decorators, type aliases."""

from __future__ import annotations

from collections.abc import Iterable

from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.calls import Calls
from nbdag.analysis.defuse.values import BY_TYPE, UNKNOWN, Frame, UserClass, Value
from nbdag.analysis.wordlist import words


class Definitions(Calls):
    """Evaluates definitions."""

    def _type_frame(self, names: frozenset[str], bounds: tuple[tree.Expr, ...]) -> Frame | None:
        before = self.frame
        if names:
            self.frame = Frame("types", names, before)
            self._later(bounds)
        return before

    def _later(self, nodes: Iterable[tree.Expr]) -> None:
        """Evaluated when somebody asks, if ever."""
        deferred, self.deferred = self.deferred, True
        for node in nodes:
            self.silent(node)
        self.deferred = deferred

    def define(self, node: tree.Define) -> bool:
        code = node.function
        decorators = [self.expr(decorator) for decorator in code.decorators]
        before = self._type_frame(code.type_names, code.type_bounds)
        if not self.lazy_annotations:
            for annotation in code.annotations:
                self.silent(annotation)
        value = Value("function", functions=(self.make_function(code, None),))
        self.frame = before
        self._decorate_and_bind(value, decorators, code.name, code.at)
        return False

    def _decorate_and_bind(self, value: Value, decorators: list[Value], name: str, at: int) -> None:
        for decorator in reversed(decorators):
            value = self._decorate(decorator, value, at)
        self.bind(name, value, at)

    def _decorate(self, decorator: Value, value: Value, at: int) -> Value:
        path = decorator.path.removeprefix("builtins.")
        if decorator.functions and not self.deferred:
            site, self.site = self.site, self.site or (at, at + 1)
            made = decorator
            for function in decorator.functions:
                made = self.follow(function, [("", "", value)], decorator)
            self.site = site
            return made if made.functions or made.klass else Value(made.type, functions=value.functions)
        if path in _CACHES or decorator.type in _CACHES:
            return Value("cached", functions=value.functions, klass=value.klass)
        if path in _TRANSPARENT or path.startswith(_TRANSPARENT_ROOTS):
            return value
        if decorator.type == "function" or decorator.type is None or decorator.path:
            return Value("wrapped" if value.functions else value.type, functions=value.functions, klass=value.klass)
        return Value("wrapped", functions=value.functions, klass=value.klass)

    def define_class(self, node: tree.DefineClass) -> bool:
        decorators = [self.expr(decorator) for decorator in node.decorators]
        before = self._type_frame(node.type_names, node.type_bounds)
        bases: list[UserClass] = []
        foreign: list[str] = []
        metaclasses: list[Value] = []
        for argument in node.arguments:
            value = self.silent(argument.value)
            if argument.keyword:
                foreign.append("?")
                if argument.keyword == "metaclass":
                    metaclasses.append(Value(own=value.own, klass=value.klass, made=True))
            elif value.klass is not None and not value.made:
                bases.append(value.klass)
                metaclasses.extend(value.klass.metaclasses)
            else:
                foreign.append(value.path.removeprefix("builtins.") or "?")
        for metaclass in metaclasses:
            self.perhaps(metaclass, _OF_METACLASS, [UNKNOWN] * 4)
        frame = Frame("class", node.locals, self.frame, node.globals, node.nonlocals)
        frame.variables.update(__class__=UNKNOWN, __qualname__=BY_TYPE["str"], __module__=BY_TYPE["str"])
        owner = UserClass(node.name, tuple(bases), tuple(foreign), frame.variables, metaclasses=tuple(metaclasses))
        self.frame = frame
        for statement in node.body:
            if isinstance(statement, tree.Define):
                self._method(statement, owner)
            else:
                self.run((statement,))
        self.frame = before
        value = Value("class", klass=owner)
        self._decorate_and_bind(value, decorators, node.name, node.at)
        for base in bases:
            hook = base.find("__init_subclass__")
            if hook is not None and hook[1].functions:
                self.follow_bound(hook[1].functions[0], value, [], value)
        return False

    def _method(self, node: tree.Define, owner: UserClass) -> None:
        code = node.function
        name = code.name
        plain = True
        previous = owner.attributes.get(name)
        for decorator in code.decorators:
            if isinstance(decorator, tree.Name):
                if decorator.id == "staticmethod":
                    owner.unbound.add(name)
                elif decorator.id in ("classmethod",):
                    owner.of_class.add(name)
                elif decorator.id in ("property", "cached_property"):
                    owner.properties.add(name)
                    if decorator.id == "cached_property":
                        owner.cached.add(name)
                else:
                    continue
                plain = False
            elif isinstance(decorator, tree.Attribute):
                if decorator.name in ("setter", "deleter"):
                    plain = False
                elif decorator.name == "cached_property":
                    owner.properties.add(name)
                    owner.cached.add(name)
        self.define(node)
        made = owner.attributes.get(name)
        if made is not None and not plain and previous is not None and name in owner.properties:
            owner.attributes[name] = Value("function", functions=(*previous.functions, *made.functions))

    def type_alias(self, node: tree.TypeAlias) -> bool:
        before = self._type_frame(node.type_names, node.type_bounds)
        self._later((node.value,))
        self.frame = before
        self.bind(node.name, Value("type"), node.at)
        return False


_OF_METACLASS = ("__prepare__", "__new__", "__init__")
_CACHES = words("functools.cache functools.lru_cache functools.singledispatch")
_TRANSPARENT = words(
    "staticmethod classmethod property functools.cache functools.lru_cache functools.wraps dataclasses.dataclass "
    "contextlib.contextmanager functools.total_ordering functools.cached_property functools.singledispatch "
    "typing.overload typing.final typing.no_type_check abc.abstractmethod enum.unique numba.jit numba.njit "
    "numba.vectorize numpy.vectorize torch.no_grad torch.jit.script typing.runtime_checkable atexit.register"
)
_TRANSPARENT_ROOTS = ("functools.", "dataclasses.", "contextlib.", "numba.", "typing.", "abc.", "ipywidgets.")
