"""Documents of Beautiful Soup as they are: their own pickle writes markup, and reads it anew.

    price = soup.find(class_="price")      soup and price are one document: price.decompose() changes str(soup)

Every part refers to its neighbours, so each is made empty and gets its attributes last of all.
"""

from __future__ import annotations

import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder
from nbdag.portable.objects import instance_dict, is_session_class, slot_descriptors


def choose_soup_codec(kind: type, encoder: GroupEncoder) -> Any:
    """The documents, tags and texts of bs4."""
    elements: Any = sys.modules.get("bs4.element")
    if elements is None or not issubclass(kind, elements.PageElement):
        return None
    if is_session_class(kind) and "__reduce_ex__" in vars(kind):
        return None
    return _reduce_soup_text if issubclass(kind, str) else _reduce_soup_tag


def _reduce_soup_text(value: Any, encoder: GroupEncoder) -> Any:
    _finish_soup(value, dict(instance_dict(value) or {}), encoder)
    return encoder.restorer("soup_text"), (type(value), str.__str__(value))


def _reduce_soup_tag(value: Any, encoder: GroupEncoder) -> Any:
    attributes = dict(instance_dict(value) or {})
    attributes.pop("_most_recent_element", None)  # what is left of parsing
    builder = attributes.get("builder")
    if builder is not None and not getattr(builder, "picklable", False):
        attributes["builder"] = type(builder)  # of lxml: a parser in C, which a new one replaces
    _finish_soup(value, attributes, encoder)
    return encoder.restorer("soup_tag"), (type(value),)


def _finish_soup(value: Any, attributes: Any, encoder: GroupEncoder) -> None:
    slots = {}
    for name, descriptor in slot_descriptors(type(value)):
        try:
            slots[name] = descriptor.__get__(value, type(value))
        except AttributeError:
            continue
    encoder.modules.add("bs4")
    encoder.finish_later("soup_state", value, (attributes, slots))
