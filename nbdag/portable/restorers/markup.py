"""Restorers of lxml's documents; counterpart of ``codecs/markup.py``."""

from __future__ import annotations

from typing import Any


def restore_markup_document(content: bytes, how: str, tail: Any, url: Any = None) -> Any:
    """All nodes of a document from ``url``, the topmost element first."""
    import lxml.etree as trees  # type: ignore[import-not-found, import-untyped, unused-ignore]

    make = trees.XMLParser
    if how == "html":
        import lxml.html  # type: ignore[import-not-found, import-untyped, unused-ignore]

        make = lxml.html.XHTMLParser
    parser = make(resolve_entities=False, strip_cdata=False, huge_tree=True, no_network=True)
    root = trees.fromstring(content, parser, base_url=url)
    if tail is not None:
        root.tail = tail
    return list(root.iter())


def restore_markup_node(nodes: Any, number: int) -> Any:
    """One node of a document."""
    return nodes[number]


def restore_markup_tree(root: Any) -> Any:
    """A tree around its topmost element."""
    import lxml.etree as trees

    return trees.ElementTree(root)
