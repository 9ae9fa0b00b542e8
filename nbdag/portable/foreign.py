"""The global state of libraries: what their modules and classes hold, so that no variable is linked through it.

Two variables that both lead to ``matplotlib.rcParams`` share nothing that belongs to the session. To index what 2,000
modules hold takes 50 ms, more than most sessions' looking has, so within the recorder's hooks a package is indexed when
a walk meets the first object of one of its classes: its own objects are what leads to its globals. Those that other
packages' objects lead to, before, are taken for the session's: that can only link more.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import types
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, Tuple, Union

from nbdag.portable.objects import ATOM_TYPES, SESSION_MODULE, class_module, class_namespace, ids_of

_OWN_MODULE = type.__dict__["__module__"]

# What any object may lead to: streams, locks, loggers, weak references.
EVERYWHERE = ("_io", "_thread", "builtins", "io", "logging", "os", "sys", "threading", "warnings", "weakref")


STREAMS = ("stdin", "stdout", "stderr")


class ForeignGlobals:
    """Mutable objects that are global state of a library: values of its modules and attributes of its classes.

    Only *places* are kept, never the objects: a hit is confirmed by looking there again, so no object is kept alive
    and an address that was used again is not mistaken. Modules outside the standard library and ``site-packages`` are
    the user's own files: what they hold can be session state.
    """

    __slots__ = ("_covered", "_scanned", "places")

    def __init__(self) -> None:
        # id -> module, class or "", attribute (or what it holds); the module alone for its namespace
        self.places: Dict[int, Union[str, Tuple[str, str, str]]] = {}
        self._scanned: Dict[str, int] = {}  # module -> number of its attributes when it was scanned or set to wait
        self._covered: Set[str] = set(EVERYWHERE)  # packages and modules that walks have met objects of

    def refresh(self, newest: Optional[int] = None) -> None:
        """Looks at modules that came or grew since the last call; those of packages not covered have to wait.

        ``newest``: only at so many that came last.
        """
        for attribute in STREAMS:  # put in place of each other without the module growing
            self.places[id(getattr(sys, attribute, None))] = ("sys", "", attribute)
        scanned, names, namespaces = self._scanned, [], []
        for name in list(sys.modules) if newest is None else list(itertools.islice(reversed(sys.modules), newest)):
            try:
                module = sys.modules[name]
                if not isinstance(module, types.ModuleType):
                    continue
                namespace: Dict[str, Any] = object.__getattribute__(module, "__dict__")
                size = len(namespace)
            except Exception:  # a module that is being imported by another thread
                continue
            if scanned.get(name) != size:
                scanned[name] = size
                names.append(name)
                namespaces.append(namespace)
        self.places.update(zip(ids_of(namespaces), names))  # noqa: B905 (Python 3.8)
        beginnings = tuple(name + "." for name in self._covered if "." not in name)
        for name in names:
            if name in self._covered or name.startswith(beginnings):
                self._scan_module(name)

    def cover(self, packages: Iterable[str]) -> None:
        """From now on the index has what the modules of these packages hold."""
        for package in packages:
            if package not in self._covered:
                beginning = package + "."
                for name in list(self._scanned):
                    if (name == package or name.startswith(beginning)) and name not in self._covered:
                        self._scan_module(name)
                self._covered.add(package)

    def cover_modules(self, modules: Iterable[str]) -> None:
        """The same for single modules: most objects that modules hold are of the classes made there."""
        for name in modules:
            if name not in self._covered:
                if name.partition(".")[0] not in self._covered and name in self._scanned:
                    self._scan_module(name)
                self._covered.add(name)

    def cover_all(self) -> None:
        """The same for all packages."""
        self.cover({name.partition(".")[0] for name in list(self._scanned)} - self._covered)

    def cover_packages_met(self) -> bool:
        """Cover whole packages where single modules are covered; whether there were any."""
        missing = {name.partition(".")[0] for name in self._covered} - self._covered
        self.cover(missing)
        return bool(missing)

    def _scan_module(self, name: str) -> None:
        module = sys.modules.get(name)
        # multiprocessing gives the session's module a second name, __mp_main__.
        if module is None or module is sys.modules.get(SESSION_MODULE):
            return
        try:
            namespace: Dict[str, Any] = object.__getattribute__(module, "__dict__")
            if _is_library(namespace):
                self._scan(name, namespace)
        except Exception:  # as above
            return

    def _scan(self, module: str, namespace: Dict[str, Any]) -> None:
        """Notes what a module holds: 30,000 things after the imports of an ordinary notebook, so no call for each."""
        places, root = self.places, module.partition(".")[0]
        for key, value in list(namespace.items()):
            kind = type(value)
            if kind in _UNINTERESTING or key in _IMPORT_MACHINERY:
                continue
            if issubclass(kind, type):
                if _OWN_MODULE.__get__(value) != module:
                    continue
                members = class_namespace(value)
                if _UNINTERESTING.issuperset(map(type, members.values())):  # most: at C speed
                    continue
                for attribute, member in list(members.items()):
                    kind = type(member)
                    if kind not in _UNINTERESTING:
                        places[id(member)] = place = (module, key, attribute)
                        if kind not in _PLAIN_CONTAINERS:
                            self._note_parts(member, root, place)
            else:
                places[id(value)] = place = (module, "", key)
                if kind not in _PLAIN_CONTAINERS:
                    self._note_parts(value, root, place)

    def _note_parts(self, value: object, root: str, place: Tuple[str, str, str]) -> None:
        made_in = class_module(type(value))
        if made_in == root or made_in.startswith(root + "."):
            for child in _parts(value, root):
                if type(child) not in _UNINTERESTING and not isinstance(child, type):
                    self.places.setdefault(id(child), place)

    def confirm(self, obj: object) -> bool:
        """Whether the object still is where its id was found."""
        place = self.places.get(id(obj))
        if place is None:
            return False
        try:
            if isinstance(place, str):
                return object.__getattribute__(sys.modules[place], "__dict__") is obj
            module, owner, attribute = place
            namespace: Mapping[str, Any] = object.__getattribute__(sys.modules[module], "__dict__")
            if owner:
                namespace = class_namespace(namespace[owner])
            value = namespace[attribute]
            return value is obj or any(child is obj for child in _parts(value, module))
        except Exception:
            return False


# What the import system puts into every module: a variable leads there through the module only, which ends a walk.
_IMPORT_MACHINERY = frozenset(["__builtins__", "__cached__", "__loader__", "__path__", "__spec__"])
_PLAIN_CONTAINERS = frozenset([dict, list, set])

# Types of module and class attributes that cannot be mutable state, or that no walk records anyway.
_UNINTERESTING = ATOM_TYPES | frozenset(
    [
        types.FunctionType,
        types.BuiltinFunctionType,
        types.ModuleType,
        types.MethodDescriptorType,
        types.WrapperDescriptorType,
        types.GetSetDescriptorType,
        types.MemberDescriptorType,
        types.ClassMethodDescriptorType,
        tuple,
        frozenset,
        property,
        staticmethod,
        classmethod,
    ]
)


def _parts(value: object, module: str) -> List[Any]:
    """What an object of a library's own class holds: the values of ``rcParams``, the arrays of a constant ``Path``.

    Not what its plain containers hold: those are registries (``Gcf.figs``) in which the session's objects are too.
    """
    if class_module(type(value)).partition(".")[0] != module.partition(".")[0]:
        return []
    referents = gc.get_referents(value)
    attributes = referents[0] if len(referents) and type(referents[0]) is dict else None
    return referents + list(attributes.values()) if attributes is not None else referents


def _is_library(namespace: Dict[str, Any]) -> bool:
    path = namespace.get("__file__")
    if type(path) is not str:
        return True  # built in, frozen, or a namespace package without content
    return "site-packages" in path or "dist-packages" in path or path.startswith(os.path.dirname(os.__file__))


_FOREIGN_GLOBALS = ForeignGlobals()
_REFRESHED = [0, -1]  # calls since the last refresh, number of modules then
REFRESH_SELDOM = [False]  # while the recorder's hooks run
MODULES_ONLY = [False]  # while they run and have little time: to index one package takes up to 12 ms


def foreign_globals(modules: Iterable[str]) -> ForeignGlobals:
    """The one index of this process, brought up to date, with what the packages of these modules hold; outside of
    hooks, all packages.

    0.1 ms when nothing is new.
    """
    # 1.5 ms with 2,000 modules, and a walk may follow every statement: only the modules that came, and all of them
    # every 256th time. What a module got in between is taken for the session's until then.
    count = len(sys.modules)
    came = count - _REFRESHED[1]
    _REFRESHED[0] += 1
    if _REFRESHED[1] < 0 or came < 0 or _REFRESHED[0] >= 256 or not REFRESH_SELDOM[0]:
        _REFRESHED[:] = [0, count]
        _FOREIGN_GLOBALS.refresh()
    elif came:
        _REFRESHED[1] = count
        _FOREIGN_GLOBALS.refresh(came)
    if REFRESH_SELDOM[0]:
        cover_modules(_FOREIGN_GLOBALS, modules)
    else:
        _FOREIGN_GLOBALS.cover_all()
    return _FOREIGN_GLOBALS


def cover_modules(index: ForeignGlobals, modules: Iterable[str]) -> None:
    """A walk has met objects of classes of these modules."""
    if MODULES_ONLY[0]:
        index.cover_modules(modules)
    else:
        index.cover({name.partition(".")[0] for name in modules})


def cover_packages_met() -> bool:
    """Index the whole packages of which walks have met objects; whether there was anything to do."""
    return _FOREIGN_GLOBALS.cover_packages_met()
