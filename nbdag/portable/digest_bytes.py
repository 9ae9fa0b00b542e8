"""The bytes that stand for values without an identity in a digest, see ``digest.py``: the same in every Python."""

from __future__ import annotations

import hashlib
import marshal
import math
from typing import Any, List

from nbdag.portable.canonical import choose_encoder
from nbdag.portable.canonical_code import canonical_label
from nbdag.portable.canonical_library import Bulk
from nbdag.portable.objects import ATOM_TYPES

LEAST_FLAT = 32  # containers of at least so many atoms are written in one piece
ONE_NAN = float("nan")


def atom_bytes(atom: Any) -> bytes:
    """Version 2 of marshal writes the same bytes in every Python: type and bits, without regard to identity."""
    cls = type(atom)
    if cls is float and atom != atom:
        atom = ONE_NAN
    elif cls is type(atom_bytes.__code__):
        return b"code " + repr(atom.co_name).encode("utf-8", "surrogatepass")
    elif cls is complex and atom != atom:
        return repr(atom).encode()
    try:
        return marshal.dumps(atom, 2) if cls not in _BY_REPR else repr(atom).encode()
    except ValueError:
        return repr(atom).encode("utf-8", "surrogatepass")


# What marshal writes as it is; a NaN may have any bits.
WRITTEN_BY_MARSHAL = frozenset([int, bool, str, bytes, type(None), type(Ellipsis)])
WITH_FLOATS = WRITTEN_BY_MARSHAL | {float}
_BY_REPR = frozenset([range, type(NotImplemented), type(atom_bytes.__code__)])


def flat_bytes(atoms: List[Any]) -> bytes:
    """The hash of many atoms: a million numbers in a few hundredths of a second."""
    kinds = set(map(type, atoms))
    if float in kinds and any(map(math.isnan, atoms) if kinds == {float} else (a != a for a in atoms)):
        atoms = [ONE_NAN if type(a) is float and a != a else a for a in atoms]
    hasher = hashlib.sha1()
    if complex in kinds or not kinds.isdisjoint(_BY_REPR):
        for atom in atoms:
            hasher.update(atom_bytes(atom))
        return hasher.digest()
    for begin in range(0, len(atoms), 50_000):
        hasher.update(marshal.dumps(atoms[begin : begin + 50_000], 2))
    return hasher.digest()


def head_bytes(head: Any) -> bytes:
    """Atoms and tuples of atoms, unambiguously."""
    try:
        return marshal.dumps(head, 2)
    except ValueError:
        return repr(head).encode("utf-8", "surrogatepass")


LENGTH_OF_LIST = len(marshal.dumps([], 2))
SMALL_HEADS = {
    kind: [b"(" + head_bytes((kind, length)) for length in range(LEAST_FLAT)] for kind in ("list", "tuple", "dict")
}


def sketch_of(obj: Any, depth: int) -> bytes:
    """A cheap summary of an object that sorts the members of a set: its type and what is near it, without sharing."""
    cls = type(obj)
    if cls in ATOM_TYPES:
        return atom_bytes(obj)
    label = canonical_label(cls).encode("utf-8", "surrogatepass")
    if depth == 0:
        return label
    try:
        if cls in (list, tuple):
            head: Any = ()
            children = list(obj)[:100]
        elif cls is dict:
            head, children = (), [part for item in list(obj.items())[:100] for part in item]
        elif cls in (set, frozenset):
            head, children = (len(obj),), []
        else:
            head, children = choose_encoder(cls)(obj)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return label
    children = [child for child in children if type(child) is not Bulk]
    lines = [label, head_bytes(head), *(sketch_of(child, depth - 1) for child in children[:100])]
    return hashlib.sha1(b",".join(lines)).digest()
