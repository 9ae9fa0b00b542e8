"""What evaluation knows of a value: its type if there is evidence, and the session names whose objects it may be.

xs = [1]; d = {"k": xs}; y = d["k"]
# xs: own {xs}                    d: own {d}, inner {xs}
# y:  own {y}, shared {d, xs}     so y.append(2) changes y for sure, and d and xs perhaps
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nbdag.analysis.defuse import tree
from nbdag.analysis.wordlist import words

NOTHING: frozenset[str] = frozenset()
# Stands among the shared roots of a value that may be a part of anything the session has: no name, as names are words.
ANYTHING = "*"
MAX_ROOTS = 40  # x2 = f(x1); x3 = f(x2); ...: from how many names on they are not told apart any more

IMMUTABLE = words(
    "int float complex bool str bytes None ellipsis scalar range slice type datetime.datetime datetime.date "
    "datetime.timedelta pathlib.Path pandas.Timestamp pandas.Timedelta decimal.Decimal fractions.Fraction uuid.UUID "
    "immutable re.Pattern re.Match numpy.dtype torch.dtype torch.device torch.Size"
)

# Iterating over one of these uses it up.
ITERATORS = words("generator iterator file")


class Value:
    """``own``: it is one of these objects, or a part of one. ``shared``: it may be. ``inner``: it may hold them.

    ``path`` is the dotted name of something imported (``numpy.random``), ``type`` a type with evidence for it,
    ``functions`` the user's functions that it is or holds, ``klass`` the user's class that it is (``made`` False) or is
    an instance of (``made`` True).
    """

    __slots__ = ("elements", "functions", "inner", "klass", "made", "own", "path", "shared", "type")

    def __init__(
        self,
        type: str | None = None,
        path: str = "",
        own: frozenset[str] = NOTHING,
        shared: frozenset[str] = NOTHING,
        inner: frozenset[str] = NOTHING,
        functions: tuple[UserFunction, ...] = (),
        klass: UserClass | None = None,
        made: bool = False,
        elements: dict[str, Value] | None = None,
    ) -> None:
        self.type = type
        self.path = path
        self.own = own
        self.shared = shared
        self.inner = inner
        self.functions = functions
        self.klass = klass
        self.made = made
        self.elements = elements  # by constant key, of a display

    @property
    def immutable(self) -> bool:
        return self.type in IMMUTABLE

    @property
    def is_callable(self) -> bool:
        """Whether it is one of its ``functions``, and not something that holds them."""
        return bool(self.functions) and self.type not in ("list", "tuple", "dict", "set", "generator", "partial")

    @property
    def roots(self) -> frozenset[str]:
        """Every name whose object may be in it."""
        return self.own | self.shared | self.inner

    def key(self) -> tuple[object, ...]:
        """Two values with the same key are the same to evaluation."""
        return (
            self.type, self.path, self.own, self.shared, self.inner, tuple(map(id, self.functions)), id(self.klass),
            self.made,
        )  # fmt: skip

    def copy(self) -> Value:
        """The same, which somebody else may put things into."""
        if self.type in IMMUTABLE:
            return self
        elements = self.elements
        if elements is not None:
            elements = {key: element.copy() for key, element in elements.items()}
        return Value(
            self.type, self.path, self.own, self.shared, self.inner, self.functions, self.klass, self.made, elements
        )

    def named(self, name: str) -> Value:
        """This value as the session holds it under ``name``."""
        if self.type in IMMUTABLE:
            return self
        mine = frozenset((name,))
        shared = self.own | self.shared
        if shared:
            shared -= mine
        inner = self.inner - mine if self.inner else self.inner
        return Value(self.type, self.path, mine, shared, inner, self.functions, self.klass, self.made, self.elements)

    def part(self, type: str | None = None) -> Value:
        """Something inside it: an element, an attribute, a view."""
        if type in IMMUTABLE:
            return Value(type)
        if self.type in IMMUTABLE:
            return Value(type)
        shared = self.shared | self.inner
        return Value(type, "", self.own, shared, self.inner, self.functions)

    def view(self, type: str | None = None) -> Value:
        """Something new that may share memory with it."""
        if type in IMMUTABLE or self.type in IMMUTABLE:
            return Value(type)
        return Value(type, "", NOTHING, self.own | self.shared, self.inner, self.functions)

    def holding(self, others: Iterable[Value]) -> Value:
        """This value after ``others`` were put into it."""
        inner, functions = self.inner, self.functions
        for other in others:
            if other.type not in IMMUTABLE:
                inner |= other.roots
            if other.functions or other.klass is not None:
                functions = unique((*functions, *carried(other)))
        if inner is self.inner and functions is self.functions:
            return self
        return Value(self.type, self.path, self.own, self.shared, inner - self.own, functions, self.klass, self.made)


@dataclass(slots=True, eq=False)
class Frame:
    """The local names of one running function, class body or comprehension; ``parent`` is the scope around it."""

    kind: str
    names: frozenset[str]
    parent: Frame | None
    globals: frozenset[str] = NOTHING
    nonlocals: frozenset[str] = NOTHING
    variables: dict[str, Value] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class UserFunction:
    """A function of the notebook: its code, the scope it was made in, the values of its defaults."""

    code: tree.Function
    closure: Frame | None
    defaults: dict[str, Value]
    owner: UserClass | None = None
    receiver: Value | None = None  # of a bound method
    given: tuple[Value, ...] = ()  # positional arguments of a partial

    @property
    def stands_for_instance(self) -> bool:
        """Whether it is no function but says that an instance of ``owner`` is in there."""
        return self.code is INSTANCE


INSTANCE = tree.Function("<instance>", 0, (), (), NOTHING)


@dataclass(slots=True, eq=False)
class UserClass:
    """A class of the notebook. ``fields`` is what its methods were seen to put into ``self``."""

    name: str
    bases: tuple[UserClass, ...]
    foreign: tuple[str, ...]  # paths of bases that are not the notebook's
    attributes: dict[str, Value]
    fields: dict[str, Value] = field(default_factory=dict)
    properties: set[str] = field(default_factory=set)
    unbound: set[str] = field(default_factory=set)  # static methods
    of_class: set[str] = field(default_factory=set)  # class methods
    cached: set[str] = field(default_factory=set)  # properties that keep their value in the instance
    metaclasses: tuple[Value, ...] = ()  # own and inherited ones, as values that are called
    instance: UserFunction | None = None  # says in the functions of a container that it holds an instance

    def find(self, name: str) -> tuple[UserClass, Value] | None:
        """The class in the line of inheritance that has ``name``, and what it has there."""
        if name in self.attributes:
            return self, self.attributes[name]
        for base in self.bases:
            found = base.find(name)
            if found is not None:
                return found
        return None

    def methods(self) -> list[tuple[str, UserFunction]]:
        """Every function that an instance can be asked for, by name, those of bases included."""
        found = {name: value.functions[0] for name, value in self.attributes.items() if value.is_callable}
        for base in self.bases:
            for name, function in base.methods():
                found.setdefault(name, function)
        return list(found.items())

    def known(self) -> bool:
        """Whether everything its instances can do is in the notebook."""
        return not any(path != "object" for path in self.foreign) and all(base.known() for base in self.bases)


UNKNOWN = Value()
NONE = Value("None")
BY_TYPE = {
    name: Value(name)
    for name in words("int float complex bool str bytes None ellipsis scalar list dict set tuple generator")
}


def carried(value: Value) -> tuple[UserFunction, ...]:
    """The functions of something that holds ``value``, and a sign that an instance of a user's class is in there."""
    owner = value.klass
    if owner is None or not value.made:
        return value.functions
    if owner.instance is None:
        owner.instance = UserFunction(INSTANCE, None, {}, owner)
    return (*value.functions, owner.instance)


def unique(functions: tuple[UserFunction, ...]) -> tuple[UserFunction, ...]:
    if len(functions) < 2:
        return functions
    return tuple(dict.fromkeys(functions))


def bounded(roots: frozenset[str]) -> frozenset[str]:
    """``roots``, or where they are too many the sign that stands for them and any other."""
    return _ALL if len(roots) > MAX_ROOTS or ANYTHING in roots else roots


_ALL = frozenset((ANYTHING,))


def is_plain(value: Value) -> bool:
    """Whether nothing in it can change but by binding its name: no class, no variables of a function that has run."""
    if value.klass is not None:
        return False
    for function in value.functions:
        bound = (function.closure, function.receiver, function.owner)
        if function.given or any(part is not None for part in bound):
            return False
        if not all(is_plain(default) for default in function.defaults.values()):
            return False
    return value.elements is None or all(is_plain(element) for element in value.elements.values())


def same(first: Value, second: Value) -> bool:
    """Whether two plain values are the same to evaluation."""
    if (
        first.type != second.type
        or first.path != second.path
        or first.own != second.own
        or first.shared != second.shared
        or first.inner != second.inner
        or first.functions != second.functions
        or first.made != second.made
        or first.klass is not second.klass
    ):
        return False
    ours, theirs = first.elements, second.elements
    if ours is None or theirs is None:
        return ours is theirs
    return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)


def join(first: Value, second: Value) -> Value:
    """One of the two."""
    if first is second:
        return first
    own = first.own & second.own
    two = first.klass is not second.klass and first.klass is not None and second.klass is not None
    two = two and first.made and second.made
    return Value(
        first.type if first.type == second.type else None,
        first.path if first.path == second.path else "",
        own,
        (first.own | first.shared | second.own | second.shared) - own,
        first.inner | second.inner,
        unique((*carried(first), *carried(second)) if two else (*first.functions, *second.functions)),
        None if two else first.klass if first.klass is second.klass else (first.klass or second.klass),
        (first.made or second.made) and not two,
    )
