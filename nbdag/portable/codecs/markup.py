"""Elements and trees of lxml: one document once, and which of its nodes a variable is.

    page = lxml.html.fromstring(text); links = page.xpath("//a")      links[0].getparent() is in page

lxml's own objects do not pickle. What does not read back as it was (names that XML has no place for) is refused.
"""

from __future__ import annotations

import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder, Refused, StandIn


def choose_markup_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Elements, comments and instructions, and trees, once lxml is loaded."""
    trees: Any = sys.modules.get("lxml.etree")
    if trees is None:
        return None
    if issubclass(kind, trees._ElementTree):
        return _reduce_markup_tree
    return _reduce_markup_node if issubclass(kind, trees._Element) else None


class MarkupDocument(StandIn):
    """Stands for everything below one topmost element."""

    def __init__(self, root: Any, how: str) -> None:
        self.root = root
        self.how = how
        self.numbers = {node: number for number, node in enumerate(root.iter())}

    def reduce(self, encoder: GroupEncoder) -> Any:
        """The document as bytes of XML, and how they are read."""
        trees: Any = sys.modules["lxml.etree"]
        tree = self.root.getroottree()
        coding = tree.docinfo.encoding or "UTF-8"
        form: Any = {"encoding": coding, "xml_declaration": True, "with_tail": False}
        # What was removed from a document still belongs to it, but is not in it.
        content = trees.tostring(tree if tree.getroot() is self.root else self.root, **form)
        parser = _parser_for(self.how)
        try:
            again = trees.fromstring(content, parser)
            same = trees.tostring(again.getroottree(), **form) == content
        except (trees.XMLSyntaxError, ValueError):
            same = False
        if not same:
            raise Refused(self.root, "a document of lxml that XML cannot hold")
        encoder.modules.add("lxml")
        return encoder.restorer("markup_document"), (content, self.how, self.root.tail, tree.docinfo.URL)


def topmost_node(node: Any) -> Any:
    """The node that has no parent."""
    while node.getparent() is not None:
        node = node.getparent()
    return node


def _parser_for(how: str) -> Any:
    options = {"resolve_entities": False, "strip_cdata": False, "huge_tree": True, "no_network": True}
    if how == "html":
        return sys.modules["lxml.html"].XHTMLParser(**options)
    return sys.modules["lxml.etree"].XMLParser(**options)


def _document_of(node: Any, encoder: GroupEncoder) -> MarkupDocument:
    root = topmost_node(node)
    found = encoder.documents.get(id(root))
    if found is None:
        page: Any = sys.modules.get("lxml.html")
        plain = type(root) is sys.modules["lxml.etree"]._Element
        if not plain and (page is None or not isinstance(root, page.HtmlElement)):
            raise Refused(node, "an element of lxml with a class of its own")
        found = encoder.documents[id(root)] = MarkupDocument(root, "xml" if plain else "html")
    return found


def _reduce_markup_node(node: Any, encoder: GroupEncoder) -> Any:
    document = _document_of(node, encoder)
    return encoder.restorer("markup_node"), (document, document.numbers[node])


def _reduce_markup_tree(tree: Any, encoder: GroupEncoder) -> Any:
    root = tree.getroot()
    if root is None:
        raise Refused(tree, "a tree without an element")
    return encoder.restorer("markup_tree"), (root,)
