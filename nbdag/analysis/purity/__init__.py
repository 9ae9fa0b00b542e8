"""Which calls of well-known libraries change what: tables, one file per library (``docs/adding/purity.md``).

A call that is in no table may change every object it is given. An entry is a string of words:

    ""            changes nothing that it is given; what it returns shares nothing with that
    "-> T"        and returns a T
    "view"        what it returns may share memory with the receiver or the arguments
    "parts"       what it returns is new, but holds the elements of the arguments
    "same"        returns the receiver (a function: its first argument) itself
    "element"     returns something that was in the receiver
    "self"        changes the receiver
    "holds"       the receiver keeps the arguments
    "arg0"        changes the first argument; "arg1" the second
    "self?"       may change the receiver; "arg1?" the second argument
    "deep"        with "self": what the receiver holds, too
    "kw:out"      changes the argument given as ``out``
    "over2"       as with ``overwrite_x=True`` if more than two arguments are given by position
    "inplace"     changes the receiver if ``inplace=True`` is given, and then returns None
    "opaque"      may read and write anything
    "nocopy"      does what nobody knows if ``copy=`` anything but True is given (or ``copy_X=``)
    "args"        changes any of its arguments (an entry only for effects)

These keywords mean the same everywhere, and no entry has to say so: ``out=``, ``ax=`` and ``cax=`` are changed, and the
result may be that object; so may it be what stands in the place of an ``arg2``. ``copy=`` anything but True
makes the result share memory with what it was made from; ``overwrite_x=`` anything but False does, and may change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from nbdag.analysis.purity import builtin, graphics, numerics, scientific, standard, tables, tensors

# Library -> (functions by dotted name, methods by type, attributes by type). The order does not matter.
LIBRARIES = (builtin, standard, numerics, tables, scientific, graphics, tensors)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a call does to the objects it is given, and what it returns (``result`` None: a type nobody knows)."""

    result: str | None = None
    view: bool = False
    parts: bool = False
    same: bool = False
    element: bool = False
    receiver: bool = False
    holds: bool = False
    inplace: bool = False
    opaque: bool = False
    everything: bool = False
    deep: bool = False
    perhaps: bool = False
    unless_copied: bool = False
    positions: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()
    keywords: tuple[str, ...] = ()
    overwrites: int | None = None


@cache
def parse(entry: str) -> Signature:
    """The meaning of one table entry."""
    words, _, result = entry.partition("->")
    found = set(words.split())
    positions = tuple(sorted(int(word[3:]) for word in found if word[:3] == "arg" and word[3:].isdigit()))
    maybe = [word[3:-1] for word in found if word[:3] == "arg" and word[-1] == "?"]
    doubtful = tuple(sorted(int(number) for number in maybe if number.isdigit()))
    keywords = tuple(sorted(word[3:] for word in found if word.startswith("kw:")))
    return Signature(
        result=result.strip() or None,
        view="view" in found,
        parts="parts" in found,
        same="same" in found,
        element="element" in found,
        receiver="self" in found,
        holds="holds" in found,
        inplace="inplace" in found,
        opaque="opaque" in found,
        everything="args" in found,
        deep="deep" in found,
        perhaps="self?" in found,
        unless_copied="nocopy" in found,
        positions=positions,
        doubtful=doubtful,
        keywords=keywords,
        overwrites=next((int(word[4:]) for word in found if word[:4] == "over" and word[4:].isdigit()), None),
    )


def _table() -> tuple[dict[str, str], dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    functions: dict[str, str] = {}
    methods: dict[str, dict[str, str]] = {}
    attributes: dict[str, dict[str, str]] = {}
    for library in LIBRARIES:
        for prefix, entries in library.FUNCTIONS.items():
            for names, entry in entries.items():
                for name in names.split():
                    functions[prefix + name] = entry
        for types, entries in library.METHODS.items():
            for kind in types.split():
                own = methods.setdefault(kind, {})
                for names, entry in entries.items():
                    own.update((name, entry) for name in names.split())
        for types, entries in library.ATTRIBUTES.items():
            for kind in types.split():
                own = attributes.setdefault(kind, {})
                for names, result in entries.items():
                    own.update((name, result) for name in names.split())
        for place, words in getattr(library, "OUTS", {}).items():
            for word, names in words.items():
                for name in names.split():
                    entries = functions if place.endswith(".") else methods[place]
                    key = place + name if place.endswith(".") else name
                    base = "" if key in entries or not place.endswith(".") else _under(functions, key)
                    entries[key] = f"{word} {entries.get(key, base)}"
    return functions, methods, attributes


def _under(functions: dict[str, str], path: str) -> str:
    """The entry of the pattern that covers ``path``; "" if there is none."""
    module, _, name = path.rpartition(".")
    kind = "Type" if name[:1].isupper() else "function"
    while module:
        entry = functions.get(f"{module}.*{kind}", functions.get(f"{module}.*"))
        if entry is not None:
            return entry
        module = module.rpartition(".")[0]
    return ""


_FUNCTIONS, _METHODS, _ATTRIBUTES = _table()
OTHER_VERSIONS = frozenset().union(*(getattr(library, "OTHER_VERSIONS", frozenset()) for library in LIBRARIES))
"""Names of the tables that only some versions of their library have."""

_ALIASES = tuple(pair for library in LIBRARIES for pair in getattr(library, "ALIASES", ()))


@lru_cache(maxsize=4096)
def canonical(path: str) -> str:
    """``path`` by the name that the tables use: ``matplotlib.pylab.plot`` is ``matplotlib.pyplot.plot``."""
    for prefix, name in _ALIASES:
        if path.startswith(prefix):
            return str(name + path[len(prefix) :])
    return path


@lru_cache(maxsize=4096)
def of_function(path: str) -> Signature | None:
    """What calling ``path`` does; None where no table says."""
    entry = _FUNCTIONS.get(path)
    if entry is None:
        module, _, name = path.rpartition(".")
        kind = "Type" if name[:1].isupper() else "function"
        while module:
            entry = _FUNCTIONS.get(f"{module}.*{kind}", _FUNCTIONS.get(f"{module}.*"))
            if entry is not None:
                break
            module = module.rpartition(".")[0]
    if entry is None:
        return None
    signature = parse(entry)
    return signature


@lru_cache(maxsize=4096)
def of_method(kind: str, name: str) -> Signature | None:
    """What calling method ``name`` of a value of type ``kind`` does; None where no table says."""
    entry = _lookup(_METHODS, kind, name)
    return None if entry is None else parse(entry)


@lru_cache(maxsize=4096)
def of_attribute(kind: str, name: str) -> str | None:
    """The type of attribute ``name`` of a value of type ``kind``, if a table knows it."""
    return _lookup(_ATTRIBUTES, kind, name)


def _lookup(table: dict[str, dict[str, str]], kind: str, name: str) -> str | None:
    own = table.get(kind)
    if own is not None and name in own:
        return own[name]
    if own is not None and "*" in own:
        return own["*"]
    module = kind.rpartition(".")[0]
    while module:
        shared = table.get(module + ".*")
        if shared is not None:
            return shared.get(name, shared.get("*"))
        module = module.rpartition(".")[0]
    return None
