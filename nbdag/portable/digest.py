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
import hashlib
import marshal
import math
import weakref
from typing import Any, Dict, Iterable, List, Optional, Tuple

from nbdag.portable.buffers import feed_array
from nbdag.portable.canonical import Incomparable, choose_encoder, encode_instance, is_immutable_value
from nbdag.portable.canonical_code import EncoderOf, canonical_label, encode_class, encode_class_name
from nbdag.portable.canonical_library import Bulk
from nbdag.portable.links import covariables
from nbdag.portable.objects import (
    ATOM_TYPES,
    CollectorPaused,
    class_qualname,
    is_in_body_of,
    is_local_name,
    is_session_class,
    mro_of,
    only_atoms,
)

# A tree has a part for each child only of objects with at most so many: a difference is to be found, not printed.
MOST_PARTS = 200
MOST_WORK = 4  # the parts of a value may take so many times its own walk, and this many objects in any case:
LEAST_WORK = 20_000
MOST_TIMES = 8  # that one object of C++ is digested: it may lead to itself

BulkDigests = Dict[int, Tuple[Any, bytes]]  # id of an array -> weak reference to it, its digest
DigestTree = Any  # a digest, or {"": digest, part: DigestTree}; JSON can hold it


def digest(value: object, namespace: Dict[str, object]) -> str:
    """The canonical digest; "?" and the reason where the value cannot be compared.

    A nested part that cannot be compared adds "?" and its reason at the end: the rest still is.
    """
    with CollectorPaused():
        return _Digester(namespace, value, {}).run(value)


def digest_tree(value: object, namespace: Dict[str, object], depth: int = 2) -> DigestTree:
    """The digest with those of the value's parts, down to ``depth`` levels, so that a difference has a place."""
    bulk: BulkDigests = {}
    with CollectorPaused():
        return _tree(value, value, namespace, depth, bulk)[0]


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


def _tree(value: Any, root: Any, namespace: Dict[str, object], depth: int, bulk: BulkDigests) -> Tuple[DigestTree, int]:
    """The tree, and how many objects were walked for it.

    Parts that lead to each other are walked once for each of them: the nodes of a chain, in a list. What is too much is
    left out; equal values have equally many objects, so both sides leave out the same.
    """
    digester = _Digester(namespace, root, bulk)
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
        tree[name], more = _tree(part, root, namespace, depth - 1, bulk)
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


# ------------------------------------------------------------------------------------------------ the walk

_FLAT = 32  # containers of at least so many atoms are written in one piece
_NAN = float("nan")


class _Digester:
    """One walk; ``bulk`` remembers the hashes of large buffers between the walks of one tree."""

    def __init__(self, namespace: Dict[str, object], root: object, bulk: BulkDigests) -> None:
        self.namespace = namespace
        self.root = root
        self.bulk = bulk
        self.hash = hashlib.sha1()
        self.lines: List[bytes] = []
        self.numbers: Dict[int, int] = {}
        self.times: Dict[int, int] = {}  # how often a wrapper of a C++ object was met
        self.keep: List[Any] = []  # numbered objects, some of them made by encoders: no id is used twice
        self.encoders: Dict[type, Tuple[bool, Optional[EncoderOf], str]] = {}
        self.pure: Dict[int, Optional[bytes]] = {}
        self.reasons: List[str] = []

    def run(self, value: Any) -> str:
        stack = [value]
        while stack:
            obj = stack.pop()
            cls = type(obj)
            if cls in ATOM_TYPES:
                self.lines.append(_atom_bytes(obj))
            else:
                children = self._visit(obj, cls)
                if children:
                    children.reverse()
                    stack.extend(children)
            if len(self.lines) > 4096:
                self._flush()
        self._flush()
        if self.reasons and self.keep and self.keep[0] is value and self.numbers.get(id(value)) == -1:
            return "?" + self.reasons[0]
        found: str = self.hash.hexdigest()
        return found + ("?" + self.reasons[0] if self.reasons else "")

    def _flush(self) -> None:
        self.hash.update(b"".join(self.lines))
        self.lines = []

    def _visit(self, obj: Any, cls: type) -> List[Any]:
        """Writes the head of an object; returns its children in a list of the caller's own."""
        if cls is tuple:
            pure = self._pure_bytes(obj)
            if pure is not None:
                self.lines.append(pure)
                return []
        elif cls is frozenset:
            return self._write("frozenset", self._unordered(obj))
        elif cls is Bulk:
            self.lines.append(self._bulk_digest(obj))
            return []
        known = self.encoders.get(cls)
        if known is None:
            known = self.encoders[cls] = self._learn(cls)
        numbered, encoder, reason = known
        if numbered and type(cls).__name__ == "pybind11_type":
            # C++ hands out a wrapper, or another one, of what its objects share: two equal ones are as good as one.
            times = self.times[id(obj)] = self.times.get(id(obj), 0) + 1
            if times > MOST_TIMES:
                self.lines.append(b"#again;")
                return []
        elif numbered:
            number = self.numbers.get(id(obj))
            if number is not None:
                self.lines.append(b"#%d;" % number)
                return []
            self.numbers[id(obj)] = len(self.numbers)
        self.keep.append(obj)
        if cls is list or cls is tuple:
            if len(obj) >= _FLAT and only_atoms(obj):
                return self._write(cls.__name__, (_flat_bytes(list(obj)), []))
            return self._write(cls.__name__, (len(obj), list(obj)))
        if cls is dict:
            return self._dict(obj)
        if cls is set:
            return self._write("set", self._unordered(obj))
        if cls is bytearray:
            return self._write("bytearray", (bytes(obj), []))
        if encoder is None:
            return self._incomparable(obj, reason)
        try:
            if encoder is encode_class_name and self._has_state(obj):
                head, children = encode_class(obj)
            else:
                head, children = encoder(obj)
        except KeyboardInterrupt:
            raise
        except Incomparable as error:
            return self._incomparable(obj, str(error.args[0]))
        except BaseException as error:  # of a library, of a value that is closed, released or half made
            return self._incomparable(obj, "%s (%s)" % (canonical_label(cls), type(error).__name__))
        self.lines.append(b"(" + _head_bytes(head) + b"%d;" % len(children))
        return list(children)

    def _learn(self, cls: type) -> Tuple[bool, Optional[EncoderOf], str]:
        try:
            if type in mro_of(cls):
                return (True, encode_class_name, "")
            return (not is_immutable_value(cls), choose_encoder(cls), "")
        except Incomparable as error:
            return (True, None, str(error.args[0]))

    def _has_state(self, cls: type) -> bool:
        """Whether a class counts with its attributes: the state of a class that has a name is its name's."""
        own = cls is self.root or is_local_name(class_qualname(cls)) or is_in_body_of(cls, self.root)
        return is_session_class(cls) and own

    def _incomparable(self, obj: Any, reason: str) -> List[Any]:
        if len(self.keep) == 1:
            self.numbers[id(obj)] = -1  # the value itself: there is no rest to compare
        self.reasons.append(reason)
        self.lines.append(b"?" + reason.encode("utf-8", "surrogatepass") + b";")
        return []

    def _write(self, kind: str, content: Tuple[Any, List[Any]]) -> List[Any]:
        head, children = content
        self.lines.append(b"(" + _head_bytes((kind, head)))
        return children

    def _dict(self, obj: Dict[Any, Any]) -> List[Any]:
        if obj is self.namespace or ("__builtins__" in obj and "__name__" in obj):
            return self._write("globals", (str(obj.get("__name__")), []))
        items = list(obj.items())
        keys = [key for key, _ in items]
        values = [value for _, value in items]
        if len(items) >= _FLAT and only_atoms(keys):
            if only_atoms(values):
                return self._write("dict", (_flat_bytes(keys) + _flat_bytes(values), []))
            return self._write("dict", (_flat_bytes(keys), values))
        return self._write("dict", (len(items), [part for item in items for part in item]))

    def _bulk_digest(self, part: Bulk) -> bytes:
        array = part.array
        known = self.bulk.get(id(array))
        if known is None or known[0]() is not array:
            hasher = hashlib.sha1()
            feed_array(hasher, array)
            found: bytes = b"=%d:" % array.nbytes + hasher.digest()
            known = self.bulk[id(array)] = (weakref.ref(array), found)
        return known[1]

    # -------------------------------------------------------------------------------------------- sets, tuples

    def _unordered(self, elements: Any) -> Tuple[bytes, List[Any]]:
        """A set as sorted bytes; elements with an identity follow in an order that their own small states give."""
        members = list(elements)
        types = set(map(type, members))
        if types in ({int}, {str}):
            return _flat_bytes(sorted(members)), []
        lines = []
        others = []
        for member in members:
            line = _atom_bytes(member) if type(member) in ATOM_TYPES else self._pure_bytes(member)
            if line is None:
                others.append((_sketch(member, 4), member))
            else:
                lines.append(line)
        lines.sort()
        others.sort(key=lambda pair: pair[0])
        lines.extend(sketch for sketch, _ in others)
        counts = collections.Counter(sketch for sketch, _ in others)
        # Among members that look alike no order is the same in both processes: their sketch must do.
        return hashlib.sha1(b",".join(lines)).digest(), [member for sketch, member in others if counts[sketch] == 1]

    def _pure_bytes(self, obj: Any, depth: int = 0) -> Optional[bytes]:
        """A tuple or frozenset that holds nothing but atoms and its like, as bytes; None for any other object."""
        cls = type(obj)
        if cls not in (tuple, frozenset) or depth > 50:
            return None
        key = id(obj)
        if key in self.pure:
            return self.pure[key]
        self.keep.append(obj)
        lines: Optional[List[bytes]] = []
        if cls is tuple and len(obj) >= _FLAT and only_atoms(obj):
            lines = [_flat_bytes(list(obj))]
        else:
            for part in obj:
                line = _atom_bytes(part) if type(part) in ATOM_TYPES else self._pure_bytes(part, depth + 1)
                if line is None:
                    lines = None
                    break
                lines.append(line)  # type: ignore[union-attr]
        result = None
        if lines is not None:
            if cls is frozenset:
                lines.sort()
            joined = b",".join(lines)
            # Tuples of tuples of tuples: what is written for one stays small.
            joined = joined if len(joined) < 200 else hashlib.sha1(joined).digest()
            result = b"(%s%d:%s)" % (b"t" if cls is tuple else b"f", len(obj), joined)
        self.pure[key] = result
        return result


def _sketch(obj: Any, depth: int) -> bytes:
    """A cheap summary of an object that sorts the members of a set: its type and what is near it, without sharing."""
    cls = type(obj)
    if cls in ATOM_TYPES:
        return _atom_bytes(obj)
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
    lines = [label, _head_bytes(head), *(_sketch(child, depth - 1) for child in children[:100])]
    return hashlib.sha1(b",".join(lines)).digest()


# ------------------------------------------------------------------------------------------------ bytes of atoms


def _atom_bytes(atom: Any) -> bytes:
    """Version 2 of marshal writes the same bytes in every Python: type and bits, without regard to identity."""
    cls = type(atom)
    if cls is float and atom != atom:
        atom = _NAN
    elif cls is type(_atom_bytes.__code__):
        return b"code " + repr(atom.co_name).encode("utf-8", "surrogatepass")
    elif cls is complex and atom != atom:
        return repr(atom).encode()
    try:
        return marshal.dumps(atom, 2) if cls not in _BY_REPR else repr(atom).encode()
    except ValueError:
        return repr(atom).encode("utf-8", "surrogatepass")


_BY_REPR = frozenset([range, type(NotImplemented), type(_atom_bytes.__code__)])


def _flat_bytes(atoms: List[Any]) -> bytes:
    """The hash of many atoms: a million numbers in a few hundredths of a second."""
    kinds = set(map(type, atoms))
    if float in kinds and any(map(math.isnan, atoms) if kinds == {float} else (a != a for a in atoms)):
        atoms = [_NAN if type(a) is float and a != a else a for a in atoms]
    hasher = hashlib.sha1()
    if complex in kinds or not kinds.isdisjoint(_BY_REPR):
        for atom in atoms:
            hasher.update(_atom_bytes(atom))
        return hasher.digest()
    for begin in range(0, len(atoms), 50_000):
        hasher.update(marshal.dumps(atoms[begin : begin + 50_000], 2))
    return hasher.digest()


def _head_bytes(head: Any) -> bytes:
    """Atoms and tuples of atoms, unambiguously."""
    try:
        return marshal.dumps(head, 2)
    except ValueError:
        return repr(head).encode("utf-8", "surrogatepass")
