"""Restorers of Beautiful Soup's documents; counterpart of ``codecs/soups.py``."""

from __future__ import annotations

from typing import Any


def restore_soup_tag(kind: Any) -> Any:
    """A tag or a document without anything."""
    return object.__new__(kind)


def restore_soup_text(kind: Any, text: str) -> Any:
    """A piece of text, a comment and the like, without neighbours."""
    return str.__new__(kind, text)


def restore_soup_state(value: Any, state: Any) -> None:
    """The attributes of a part."""
    attributes, slots = state
    value.__dict__.update(attributes)
    builder = attributes.get("builder")
    if isinstance(builder, type):
        value.builder = builder()
        value.builder.soup = value
    for name, item in slots.items():
        object.__setattr__(value, name, item)
