"""Is a restored variable the one that was saved? Digests that two processes, of different Pythons, can compare.

    live:  digest_tree(namespace["x"], namespace)  --JSON-->  difference_path(live, restored) == "": they are equal

The value's graph is walked depth first, without recursion, and written as heads and children (``canonical.py``) into
one hash. An object with an identity of its own gets the number of its first visit, and that number at the next, so
``[s, s]`` is not ``[s, copy(s)]`` and cycles end. Values without identity (numbers, strings, tuples of them, dates) are
written out each time: whether two equal strings are one object is up to the interpreter.

What cannot be compared (a lock, a socket) is written as such and does not spoil the rest; a value that is one itself
has the digest ``"?lock"``. Not seen: sharing inside a set of session instances that are alike, NaN payloads in lists.

The hash is sha1: fixed, because both sides must agree, in every Python, and the fastest over many CPUs of those that
are. It guards against mistakes, not against forgery.
"""

from __future__ import annotations

import collections
from typing import Any, Dict, Iterable, List, Tuple

from nbdag.portable.canonical import choose_encoder
from nbdag.portable.canonical_code import canonical_label
from nbdag.portable.canonical_instances import encode_instance
from nbdag.portable.digest_walk import Digester, Learned
from nbdag.portable.links import covariables
from nbdag.portable.objects import CollectorPaused, only_atoms

# A tree has a part for each child only of objects with at most so many: a difference is to be found, not printed.
MOST_PARTS = 200
MOST_WORK = 4  # the parts of a value may take so many times its own walk, and this many objects in any case:
LEAST_WORK = 20_000

DigestTree = Any  # a digest, or {"": digest, part: DigestTree}; JSON can hold it


def digest(value: object, namespace: Dict[str, object]) -> str:
    """The canonical digest; "?" and the reason where the value cannot be compared.

    A nested part that cannot be compared adds "?" and its reason at the end: the rest still is.
    """
    with CollectorPaused():
        return Digester(namespace, value, Learned()).run(value)


def digest_tree(value: object, namespace: Dict[str, object], depth: int = 2) -> DigestTree:
    """The digest with those of the value's parts, down to ``depth`` levels, so that a difference has a place."""
    with CollectorPaused():
        return _tree(value, value, namespace, depth, Learned())[0]


def difference_path(one: DigestTree, other: DigestTree) -> str:
    """Where two trees first differ, such as ``"['model'].weights[3]"``; "" if they do not, "." if at the top."""
    if one == other:
        return ""
    path = ""
    while isinstance(one, dict) and isinstance(other, dict):
        keys: List[str] = [*one, *other]
        for part in keys:
            if part and one.get(part) != other.get(part):
                break
        else:
            break
        path += part
        if part not in one or part not in other:
            return path + (" (only in the first)" if part in one else " (only in the second)")
        one, other = one[part], other[part]
    return path or "."


def shared(namespace: Dict[str, object], names: Iterable[str]) -> List[List[str]]:
    """Which names share state: the groups of two and more. Part of what a restored session must have in common."""
    return [members for members in covariables(namespace, names) if len(members) > 1]


# ------------------------------------------------------------------------------------------------ trees


def _tree(value: Any, root: Any, namespace: Dict[str, object], depth: int, learned: Learned) -> Tuple[DigestTree, int]:
    """The tree, and how many objects were walked for it.

    Parts that lead to each other are walked once for each of them: the nodes of a chain, in a list. What is too much is
    left out; equal values have equally many objects, so both sides leave out the same.
    """
    digester = Digester(namespace, root, learned)
    whole = digester.run(value)
    walked = spent = len(digester.numbers)
    if depth <= 0 or whole.startswith("?"):
        return whole, walked
    parts = _tree_parts(value)
    if not parts or len(parts) > MOST_PARTS:
        return whole, walked
    tree: Dict[str, DigestTree] = {"": whole}
    for name, part in parts:
        if spent - walked > max(MOST_WORK * walked, LEAST_WORK):
            break
        tree[name], more = _tree(part, root, namespace, depth - 1, learned)
        spent += more
    return tree, spent


def _tree_parts(value: Any) -> List[Tuple[str, Any]]:
    """The named parts of containers, instances and frames; none for anything else."""
    cls = type(value)
    try:
        if cls in (list, tuple, collections.deque):
            return [("[%d]" % place, part) for place, part in enumerate(value)] if len(value) <= MOST_PARTS else []
        if cls in (dict, collections.OrderedDict, collections.defaultdict):
            if len(value) > MOST_PARTS or not only_atoms(value):
                return []
            return [("[%r]" % (key,), part) for key, part in value.items()]
        encoder = choose_encoder(cls)
        if encoder is encode_instance:
            head, children = encoder(value)
            return [("." + name, part) for name, part in zip(head[2], children)]  # noqa: B905 (Python 3.8)
        label = canonical_label(cls)
        if label == "pandas.DataFrame" and value.shape[1] <= MOST_PARTS:
            parts = [("[%r]" % (name,), value.iloc[:, place].array) for place, name in enumerate(value.columns)]
            return [(".index", value.index), *parts]
    except Exception:
        return []
    return []
