"""Modules that stand beside the notebook (``utils.py``): their text travels, and an import on the target finds it.

Only Python source that is neither the interpreter's nor an installed package's; a module that the target has with the
very same text is taken from there.
"""

from __future__ import annotations

import functools
import math
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

MOST_MODULE_TEXT = 16 * 1024 * 1024  # characters over all modules: more is a library in development, not a helper
NEVER_LOCAL = ("nbdag", "__main__", "__mp_main__")


def local_modules_state(withheld: Callable[[str], bool]) -> Dict[str, List[Any]]:
    """By name: [is a package, file, text, values] of the local modules that are loaded.

    ``withheld`` says of which names the values must not travel.
    """
    found: Dict[str, List[Any]] = {}
    room = MOST_MODULE_TEXT
    for name in sorted(sys.modules):
        module: Any = sys.modules.get(name)
        file = local_file(name, module)
        if not file:
            continue
        attributes: Dict[str, Any] = module.__dict__
        text = module_text(name, attributes)
        if text is not None and len(text) <= room:
            room -= len(text)
            found[name] = [type(attributes.get("__path__")) is list, file, text, plain_globals(module, withheld)]
    return found


def local_file(name: str, module: Any) -> str:
    """The file of a local module, "" for one that belongs to the interpreter, a package or nbdag."""
    attributes = getattr(module, "__dict__", None)
    if type(attributes) is not dict or name.partition(".")[0] in NEVER_LOCAL or name.startswith("nbdag_"):
        return ""
    file = attributes.get("__file__")
    if type(file) is not str or not file.endswith(".py") or attributes.get("__name__") != name:
        return ""
    spelled = file.replace(os.sep, "/")
    if "/site-packages/" in spelled and "/../" not in spelled:  # most of hundreds: making a path absolute is dear
        return ""
    file = os.path.abspath(file)
    spelled = file.replace(os.sep, "/")
    if "/site-packages/" in spelled or "/dist-packages/" in spelled:
        return ""
    return "" if file.startswith(installed_prefixes()) else file


@functools.lru_cache(maxsize=1)
def installed_prefixes() -> Tuple[str, ...]:
    """The directories of the interpreter's own library and of packages, each with its trailing separator."""
    import sysconfig

    paths = sysconfig.get_paths()
    return tuple(os.path.join(paths[kind], "") for kind in ("stdlib", "platstdlib", "purelib", "platlib"))


def plain_globals(module: Any, withheld: Callable[[str], bool]) -> str:
    """A local module's small plain values, as Python spells them: the session may have changed any of them."""
    values = {
        name: value
        for name, value in list(module.__dict__.items())
        if not name.startswith("__") and not withheld(name) and is_small_and_plain(value, 4)
    }
    return repr(values)


def is_small_and_plain(value: Any, depth: int) -> bool:
    """Whether a value can be written as a literal of moderate length: a number, a string, a container of some."""
    kind = type(value)
    if value is None or kind is bool:
        return True
    if kind in (str, bytes):
        return len(value) <= 10_000
    if kind is int:
        return bool(value.bit_length() <= 10_000)
    if kind is float:
        return math.isfinite(value)
    if kind is set and not value:  # set() is no literal
        return False
    if kind not in (list, tuple, set, dict) or depth == 0 or len(value) > 200:
        return False
    parts = [*value, *value.values()] if kind is dict else list(value)
    return all(is_small_and_plain(part, depth - 1) for part in parts)


def module_text(name: str, attributes: Dict[str, Any]) -> Optional[str]:
    """The source of a module as its loader gives it, None where there is none."""
    try:
        text = attributes["__loader__"].get_source(name)
    except Exception:  # of any loader: a file that is gone, no loader at all
        return None
    return text if type(text) is str else None


class LocalModules:
    """Finds and loads modules from the texts that a bundle brought."""

    def __init__(self, modules: Dict[str, List[Any]]) -> None:
        self.modules = modules
        self.settled = False  # the plan has run: what is imported from now on begins where the session's left off

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The session's module; its file is the target's own where that is the same."""
        if name not in self.modules:
            return None
        from importlib.machinery import ModuleSpec, PathFinder

        package, file, text = self.modules[name][:3]
        own = PathFinder.find_spec(name, path)
        if own is not None and own.origin and module_text(name, {"__loader__": own.loader}) == text:
            file = own.origin
        spec = ModuleSpec(name, self, origin=file, is_package=package)  # type: ignore[arg-type]
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [os.path.dirname(file)]
        return spec

    def create_module(self, spec: Any) -> None:
        """The import system makes it."""

    def exec_module(self, module: Any) -> None:
        """Run the module's text."""
        _, _, text, values = self.modules[module.__name__]
        exec(compile(text, module.__spec__.origin, "exec", dont_inherit=True), module.__dict__)
        if self.settled:
            set_globals(module, values)

    def get_source(self, name: str) -> str:
        """For tracebacks, ``inspect`` and the next compilation."""
        text: str = self.modules[name][2]
        return text

    def is_package(self, name: str) -> bool:
        """Whether the module is a package."""
        return bool(self.modules[name][0])


def install_local_modules(modules: Dict[str, List[Any]]) -> Optional[str]:
    """Have imports find ``modules`` first; a sentence where this process has already loaded others of their names."""
    other: List[str] = []
    loaded: Tuple[Any, ...] = tuple(sys.modules.items())
    for name, module in loaded:
        if name in modules and module_text(name, getattr(module, "__dict__", {})) != modules[name][2]:
            other.append(name)
    sys.meta_path.insert(0, LocalModules(modules))
    return "another module of this name was loaded here before: " + ", ".join(sorted(other)) if other else None


def settle_local_modules(modules: Dict[str, List[Any]]) -> Optional[str]:
    """Give the local modules the values they had in the session, when the plan has run."""
    for finder in sys.meta_path:
        if isinstance(finder, LocalModules):
            finder.settled = True
    for name, (_, _, text, values) in modules.items():
        module = sys.modules.get(name)
        if module is not None and module_text(name, getattr(module, "__dict__", {})) == text:
            set_globals(module, values)
    return None


def set_globals(module: Any, values: str) -> None:
    """Set what differs; lists, dicts and sets keep their identity: others may hold them."""
    import ast

    for name, value in ast.literal_eval(values).items():
        known = module.__dict__.get(name)
        if type(known) is type(value) and repr(known) == repr(value):
            continue
        if type(known) is list and type(value) is list:
            known[:] = value
        elif type(known) is type(value) and type(value) in (dict, set):
            known.clear()
            known.update(value)
        else:
            setattr(module, name, value)
