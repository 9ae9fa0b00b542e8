"""The restorer of pint's quantities and units; counterpart of ``codecs/quantities.py``."""

from __future__ import annotations

from typing import Any


def restore_quantity(loading: Any, name: str, has_magnitude: bool, *parts: Any) -> Any:
    """A quantity or a unit of the registry that is there under ``name``; else of the one that pint uses by itself."""
    import pint  # type: ignore[import-not-found, unused-ignore]

    registry = loading.namespace.get(name)
    if not isinstance(registry, pint.UnitRegistry):
        registry = pint.get_application_registry()  # type: ignore[no-untyped-call, unused-ignore]
        loading.note(
            "a quantity of pint belongs to pint's application registry: %s"
            % ("the session's %s was not there when it was loaded" % name if name else "its own had no name")
        )
    return registry.Quantity(*parts) if has_magnitude else registry.Unit(*parts)
