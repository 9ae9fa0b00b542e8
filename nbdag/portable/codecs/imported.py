"""Functions and classes that an import gives wherever the library is: they need no name of the session.

cell 1   import fractions; x = fractions.Fraction(1, 3)
cell 2   from fractions import Fraction          x is loaded after cell 1, when the session has no Fraction yet
"""

from __future__ import annotations

import os
import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder, belongs_to_nbdag
from nbdag.portable.objects import is_handmade_module


def is_importable(value: Any, encoder: GroupEncoder) -> bool:
    """Whether ``import`` finds the home of this function or class, and it there, in a process of its own.

    Of a module that no search of ``sys.path`` leads to (made by hand, loaded from a file of another place) only the
    session's own statements are known to give it.
    """
    module, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if (
        type(module) is not str
        or type(qualname) is not str
        or module in ("__main__", encoder.namespace.get("__name__"))
    ):
        return False
    home = sys.modules.get(module)
    if getattr(value, "__globals__", None) is encoder.namespace:
        return False  # the session put a function of its own there
    if home is None or belongs_to_nbdag(module) or is_handmade_module(home) or is_made_in_session(home, encoder):
        return False
    return found_in(module, qualname) is value and _is_on_path(sys.modules.get(module.partition(".")[0]))


def _is_on_path(package: Any) -> bool:
    spec = getattr(package, "__spec__", None)
    if getattr(spec, "origin", None) in ("built-in", "frozen"):
        return True
    found = [os.path.dirname(folder) for folder in getattr(package, "__path__", None) or ()]
    if not found:
        found = [os.path.dirname(getattr(package, "__file__", None) or "")]
    known = {os.path.abspath(entry) for entry in sys.path if type(entry) is str}
    return any(os.path.abspath(folder) in known for folder in found if folder)


def is_made_in_session(module: Any, encoder: GroupEncoder) -> bool:
    """Whether a variable holds this module and no import made it: then replay will make it, and what is in it."""
    return is_handmade_module(module) and any(value is module for value in list(encoder.namespace.values()))


def found_in(module: str, qualname: str) -> Any:
    """What an import of ``module`` and a look-up of ``qualname`` gives; None if nothing."""
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found
