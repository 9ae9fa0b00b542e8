"""Following a call into the user's own code: its body is evaluated with what is known of the arguments."""

from __future__ import annotations

from nbdag.analysis.defuse.expressions import Expressions
from nbdag.analysis.defuse.values import (
    NONE,
    UNKNOWN,
    Frame,
    UserClass,
    UserFunction,
    Value,
    join,
)

Given = list[tuple[str, str, Value]]  # (keyword, star, value) of each argument, in order

MAX_DEPTH = 24
MAX_STEPS = 20_000  # calls followed per statement; more than that is taken to do anything


class Following(Expressions):
    """Evaluates the bodies of the user's functions."""

    def follow(self, function: UserFunction, arguments: Given, callee: Value) -> Value:
        """Evaluates the body of ``function`` as called with ``arguments``; what it returns."""
        if self.deferred:
            return UNKNOWN
        code = function.code
        key = (
            id(code), id(function.closure), self.doubt > 0 or self.early, callee.own, callee.shared,
            None if function.receiver is None else function.receiver.key(),
            tuple(value.key() for value in function.given),
            tuple((keyword, star, value.key()) for keyword, star, value in arguments),
        )  # fmt: skip
        if key in self.followed:
            return self.followed[key]
        self.steps += 1
        if self.active.count(id(code)) >= 2 or self.depth >= MAX_DEPTH or self.steps > MAX_STEPS:
            if self.steps > MAX_STEPS:
                self.opaque()
            shared = frozenset().union(*(value.roots for _, _, value in arguments))
            return Value(shared=shared)
        frame = Frame("function", code.locals, function.closure, code.globals, code.nonlocals)
        self._bind_parameters(function, arguments, callee, frame)
        saved = (
            self.frame, self.branch, self.early, self.returned, self.callee, self.depth, self.quiet, self.site,
            self.definite,
        )  # fmt: skip
        self.frame, self.branch, self.returned, self.callee = frame, 0, [], callee
        self.early = self.early or code.generator
        self.depth, self.quiet, self.definite = self.depth + 1, 0, set(self.definite)
        if self.site is None:
            self.site = (self.statement_at, self.statement_at + 1)
        self.active.append(id(code))
        self.run(code.body)
        self.active.pop()
        returned, sure = self.returned, self.definite
        (
            self.frame, self.branch, self.early, self.returned, self.callee, self.depth, self.quiet, self.site,
            self.definite,
        ) = saved  # fmt: skip
        if not self.doubt:
            self.definite |= sure
        result = self._result(function, returned)
        self.followed[key] = result
        return result

    @staticmethod
    def _result(function: UserFunction, returned: list[Value]) -> Value:
        if not returned:
            if function.code.asynchronous and not function.code.generator:
                return Value("coroutine", functions=(function,), elements={"\0": NONE})
            return Value("generator", functions=(function,)) if function.code.generator else NONE
        result = returned[0]
        for value in returned[1:]:
            result = join(result, value)
        if function.code.generator:
            inner = frozenset().union(*(value.roots for value in returned if not value.immutable))
            return Value("generator", inner=inner, functions=(function, *result.functions))
        if function.code.asynchronous:
            return Value("coroutine", shared=result.roots, functions=(function,), elements={"\0": result})
        return result

    def _bind_parameters(self, function: UserFunction, arguments: Given, callee: Value, frame: Frame) -> None:
        variables = frame.variables
        positional = [value for keyword, star, value in arguments if not keyword and not star]
        positional[:0] = function.given
        if function.receiver is not None:
            positional.insert(0, function.receiver)
        named = {keyword: value for keyword, _, value in arguments if keyword}
        spread = [value for _, star, value in arguments if star]
        rest: Value | None = None
        for value in spread:
            rest = value if rest is None else join(rest, value)
        roots = callee.own | callee.shared
        for parameter in function.code.parameters:
            name = parameter.name
            if parameter.kind == "*":
                variables[name] = Value("tuple").holding([*positional, *spread])
                positional = []
            elif parameter.kind == "**":
                variables[name] = Value("dict").holding([*named.values(), *spread])
            elif parameter.kind == "positional" and positional:
                variables[name] = positional.pop(0)
            elif name in named:
                variables[name] = named.pop(name)
            elif rest is not None:
                variables[name] = rest
            elif name in function.defaults:
                default = function.defaults[name]
                variables[name] = default if default.immutable else Value(
                    default.type, default.path, default.own, default.shared | roots, default.inner, default.functions,
                    default.klass, default.made,
                )  # fmt: skip

    def super_of(self) -> Value:
        frame = self.frame
        while frame is not None and frame.kind != "function":
            frame = frame.parent
        if frame is None or not frame.variables:
            return Value()
        receiver = next(iter(frame.variables.values()))
        if receiver.klass is None:
            return receiver
        bases = receiver.klass.bases
        parent = UserClass("super", bases, receiver.klass.foreign, {}, receiver.klass.fields)
        return Value(
            receiver.type, "", receiver.own, receiver.shared, receiver.inner, receiver.functions, parent, receiver.made
        )
