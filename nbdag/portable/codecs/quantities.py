"""Quantities and units of pint, of the registry they belong to.

    ur = UnitRegistry(); ur.define("smoot = 1.7 * meter"); tall = 3 * ur.smoot

pint's own pickle leaves the registry out: ``tall + 1 * ur.meter`` then mixes two registries, which is an error. A
registry is made by its statement; a quantity looks for it under its name.
"""

from __future__ import annotations

import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder
from nbdag.portable.objects import base_labels, is_session_class


def choose_quantity_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Quantities and units whose registry is one of the session's."""
    if "pint" not in sys.modules or is_session_class(kind) or getattr(kind, "_REGISTRY", None) is None:
        return None
    return _reduce_quantity if {"pint.PlainQuantity", "pint.PlainUnit"}.intersection(base_labels(kind)) else None


def _reduce_quantity(value: Any, encoder: GroupEncoder) -> Any:
    usual: Any = sys.modules["pint"].get_application_registry()
    if value._REGISTRY is usual or value._REGISTRY is usual.get():
        return NotImplemented
    names = [name for name, held in list(encoder.namespace.items()) if held is value._REGISTRY]
    name = min(names, key=lambda name: name.startswith("_"), default="")  # not _, which shows it and does not travel
    reduction = value.__reduce__()
    encoder.modules.add("pint")
    return encoder.restorer("quantity"), (name, "magnitude" in dir(type(value)), *reduction[1][1:])
