"""What libraries hold is nobody's: no two variables are linked through it, and only what matters is indexed."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from nbdag.portable import foreign
from nbdag.portable.foreign import ForeignGlobals
from nbdag.portable.links import covariables

PLACE = "/usr/lib/python3/site-packages/"


def library(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> Any:
    """A module that looks installed."""
    module = types.ModuleType(name)
    module.__file__ = PLACE + name.replace(".", "/") + ".py"
    exec(text, vars(module))
    monkeypatch.setitem(sys.modules, name, module)
    return module


@pytest.fixture
def in_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder is at work, and has looked at nothing yet."""
    monkeypatch.setattr(foreign, "_FOREIGN_GLOBALS", ForeignGlobals())
    monkeypatch.setattr(foreign, "_REFRESHED", [0, -1])
    monkeypatch.setattr(foreign, "REFRESH_SELDOM", [True])


THING = "registry = {'units': []}\nclass Thing:\n    def __init__(self): self.registry = registry\n"


def test_a_package_is_indexed_once_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    one = library(monkeypatch, "shelf_one", THING)
    other = library(monkeypatch, "shelf_other", THING)
    index = ForeignGlobals()
    index.refresh()
    assert not index.confirm(one.registry) and not index.confirm(other.registry)
    assert index.confirm(vars(one))  # the namespace itself: it costs nothing, and a walk must never get into one
    index.cover({"shelf_one"})
    assert index.confirm(one.registry) and not index.confirm(other.registry)
    index.cover_all()
    assert index.confirm(other.registry)


def test_what_a_covered_package_gets_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    package = library(monkeypatch, "shelf_one", THING)
    index = ForeignGlobals()
    index.refresh()
    index.cover({"shelf_one"})
    package.more = {}
    part = library(monkeypatch, "shelf_one.part", THING)
    index.refresh()
    assert index.confirm(package.more) and index.confirm(part.registry)


def test_a_package_that_was_not_there_when_it_began_to_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    index = ForeignGlobals()
    index.cover({"shelf_one"})
    package = library(monkeypatch, "shelf_one", THING)
    index.refresh()
    assert index.confirm(package.registry)


def test_objects_of_a_library_are_not_linked_through_its_globals(
    monkeypatch: pytest.MonkeyPatch, in_a_hook: None
) -> None:
    shelf = library(monkeypatch, "shelf_one", THING)
    a, b = shelf.Thing(), shelf.Thing()
    c = d = shelf.Thing()
    assert covariables({"a": a, "b": b, "c": c, "d": d}, ["a", "b", "c", "d"]) == [["a"], ["b"], ["c", "d"]]


def test_nor_those_of_a_class_that_another_library_derived(monkeypatch: pytest.MonkeyPatch, in_a_hook: None) -> None:
    library(monkeypatch, "shelf_one", THING)
    derived = library(monkeypatch, "cupboard", "import shelf_one\nclass Drawer(shelf_one.Thing): pass\n")
    assert covariables({"a": derived.Drawer(), "b": derived.Drawer()}, ["a", "b"]) == [["a"], ["b"]]


def test_a_package_that_a_walk_meets_deeper_down_matters_too(monkeypatch: pytest.MonkeyPatch, in_a_hook: None) -> None:
    shelf = library(monkeypatch, "shelf_one", THING)
    box = library(monkeypatch, "cupboard", "class Box:\n    def __init__(self, held): self.held = held\n")
    assert covariables({"a": box.Box([shelf.Thing()]), "b": shelf.Thing()}, ["a", "b"]) == [["a"], ["b"]]


def test_outside_of_hooks_all_packages_count(monkeypatch: pytest.MonkeyPatch, in_a_hook: None) -> None:
    shelf = library(monkeypatch, "shelf_one", THING)
    box = library(monkeypatch, "cupboard", "class Box:\n    def __init__(self, held): self.held = held\n")
    session = {"a": box.Box(shelf.registry), "b": box.Box(shelf.registry)}
    assert covariables(session, ["a", "b"]) == [["a", "b"]]  # more links than needed, never fewer
    monkeypatch.setattr(foreign, "REFRESH_SELDOM", [False])
    assert covariables(session, ["a", "b"]) == [["a"], ["b"]]
