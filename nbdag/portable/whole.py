"""Classes of libraries whose own pickle gives something else than the instance: what they leave out is kept here.

    model = ols("y ~ x", data).fit()     statsmodels drops the parsed formula and parses it anew where it is loaded:
                                         the ``x`` that it keeps for predictions is a copy then
    Polynomial([1, 2])                   NumPy copies the coefficients and gives the instance a domain of its own

Their instances are their ``__dict__``, slots and items, so these are stored, compared and watched, and neither
``__getstate__`` nor ``__setstate__`` is called: some of them change the living object. A class belongs here if no
attribute of it means anything to its process alone (a handle, a number of a thread, an entry in a table of a module).
"""

from __future__ import annotations

import sys
import types
import weakref
from typing import Any, Dict, List

from nbdag.portable.contents import CONTENTS
from nbdag.portable.objects import (
    ATOM_TYPES,
    base_labels,
    class_namespace,
    instance_dict,
    is_heap_type,
    is_session_class,
    mro_of,
    slot_descriptors,
)

# By package and class, subclasses included.
_TAKEN_WHOLE = frozenset(
    [
        "statsmodels.ModelData",  # drops the parsed formula, and parses it anew
        "statsmodels.NegativeBinomial",  # forgets, loaded, that its parameters are no longer transformed
        "statsmodels.DiscreteResults",  # takes the optimiser's callback from the living object
        "numpy.ABCPolyBase",  # copies what it shares with others
        "lmfit.Parameters",  # copies what its expressions may use, and makes their interpreter anew
        "lmfit.Parameter",
        "asteval.Interpreter",
        "joblib.Memory",  # drops the time when it was made
        "holoviews.Dimension",  # takes its name for its label, loaded
        "holoviews.LabelledData",  # drops its options, its streams and what it was made by
        "formulaic.StructuredFormula",  # drops the variables that its formula was made with
        "nengo.Simulator",  # builds and starts itself anew from its model: in another order, its noise from the start
        "nengo.Signal",  # makes another view of its value, where others hold that very one
        "nengo.SignalDict",  # writes into the array that it has under a key, and has none yet
    ]
)
# What of their classes says how it is pickled says that it cannot be, and all of them are plain Python.
_PACKAGES_TAKEN_WHOLE = frozenset(["patsy"])


_MADE_OF_ATTRIBUTES = frozenset([object, dict, list])  # an array (patsy.DesignMatrix) is more than these


def is_taken_whole(cls: type) -> bool:
    """Whether instances are their attributes, whatever the class tells pickle; one of the session has the last word."""
    if next((base for base in mro_of(cls) if not is_heap_type(base)), None) not in _MADE_OF_ATTRIBUTES:
        return False
    labels = base_labels(cls)
    if _TAKEN_WHOLE.isdisjoint(labels) and _PACKAGES_TAKEN_WHOLE.isdisjoint([labels[0].partition(".")[0]]):
        return False
    says = [base for base in mro_of(cls) if is_heap_type(base) and not _SAYS_HOW.isdisjoint(class_namespace(base))]
    return (bool(says) or labels[0] in _TAKEN_WHOLE) and not any(is_session_class(base) for base in says)


_SAYS_HOW = frozenset(["__getstate__", "__setstate__", "__reduce__", "__reduce_ex__"])


def styles_of(obj: Any) -> Dict[str, Any]:
    """The options that ``.opts()`` gave a plot of holoviews, by backend: the library has them in a table, by number."""
    store: Any = getattr(sys.modules.get("holoviews.core.options"), "Store", None)
    number = (instance_dict(obj) or {}).get("_id")
    if store is None or number is None:
        return {}
    return {backend: known[number] for backend, known in store._custom_options.items() if number in known}


def attributes_of(obj: Any) -> List[Any]:
    """The ``__dict__`` itself (None: there is none), a dict of the slots that are set, and the items of a container."""
    cls = type(obj)
    slots = {}
    for name, descriptor in slot_descriptors(cls):
        try:
            slots[name] = descriptor.__get__(obj, cls)
        except AttributeError:
            continue
    contents = [CONTENTS[base](obj) for base in mro_of(cls) if base in CONTENTS]
    return [instance_dict(obj), slots, *contents[:1]]


# Theirs is made anew with what they are drawn on, connected with, or asked by; or in tables by address.
_FREE_TO_LEAVE_OUT = frozenset(["bs4", "matplotlib", "sqlalchemy", "traitlets", "requests", "urllib3", "fsspec"])
_LEAVING_OUT_FUNCTIONS = frozenset(["scipy.rv_generic"])
# The library's own, and in the state by value: parameters of a class, in each a table of all instances there are.
_OF_THE_CLASS = {"nengo.FrozenObject": "_paramdict"}
_NO_PARTS = ATOM_TYPES | {types.FunctionType, types.MethodType, types.BuiltinFunctionType, weakref.ref}


def left_out(obj: Any, state: Any) -> Dict[str, Any]:
    """The attributes of a library's object that its ``state`` for pickle drops or copies, by name in their order.

    Numbers, functions, what is empty, caches, and what stands for something else in the state are the library's affair.
    """
    own = instance_dict(obj)
    if not own or type(state) is not dict or state is own:
        return {}
    labels = base_labels(type(obj))
    if labels[0].partition(".")[0] in _FREE_TO_LEAVE_OUT or not _LEAVING_OUT_FUNCTIONS.isdisjoint(labels):
        return {}
    found = {}
    tables = [_OF_THE_CLASS[label] for label in labels if label in _OF_THE_CLASS]
    for name in sorted(name for name in own if type(name) is str and name not in tables):
        value = own[name]
        if type(value) in _NO_PARTS or "cache" in name.lower() or state.get(name) is value:
            continue
        if name in state and type(state[name]) is not type(value):
            continue
        if type(value) in (list, tuple, dict, set, frozenset) and not value:
            continue
        found[name] = value
    return found
