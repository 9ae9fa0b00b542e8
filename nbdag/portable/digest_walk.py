"""One walk of a value's graph into one hash; ``digest.py`` says what counts.

A session may hold a million small objects, and this is done in the live kernel, too. So what follows from the class of
an object is found once for a whole tree of walks, and atoms that stand side by side are written at once.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
import marshal
import weakref
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from nbdag.portable.buffers import feed_array
from nbdag.portable.canonical import Incomparable, choose_encoder, is_immutable_value
from nbdag.portable.canonical_code import EncoderOf, canonical_label, encode_class, encode_class_name
from nbdag.portable.canonical_instances import InstanceForm, encode_instance
from nbdag.portable.canonical_library import Bulk
from nbdag.portable.digest_bytes import (
    LEAST_FLAT,
    LENGTH_OF_LIST,
    ONE_NAN,
    SMALL_HEADS,
    WITH_FLOATS,
    WRITTEN_BY_MARSHAL,
    atom_bytes,
    flat_bytes,
    head_bytes,
    sketch_of,
)
from nbdag.portable.objects import (
    ATOM_TYPES,
    class_qualname,
    is_in_body_of,
    is_local_name,
    is_session_class,
    mro_of,
    only_atoms,
)

MOST_TIMES = 8  # that one object of C++ is digested: it may lead to itself


class Learned:
    """What the walks of one tree share: what follows from a class alone, and the hashes of large buffers."""

    def __init__(self) -> None:
        self.ways: Dict[type, _Way] = dict(_WAYS)
        self.bulk: Dict[int, Tuple[Any, bytes]] = {}  # id of an array -> weak reference to it, its digest


class Digester:
    """One walk of a value."""

    def __init__(self, namespace: Dict[str, object], root: object, learned: Learned) -> None:
        self.namespace = namespace
        self.root = root
        self.learned = learned
        self.hash = hashlib.sha1()
        self.lines: List[bytes] = []
        self.numbers: Dict[int, int] = {}
        self.times: Dict[int, int] = {}  # how often a wrapper of a C++ object was met
        self.keep: List[Any] = []  # numbered objects, some of them made by encoders: no id is used twice
        self.pure: Dict[int, Optional[bytes]] = {}
        self.reasons: List[str] = []

    def run(self, value: Any) -> str:
        lines, numbers, keep, ways = self.lines, self.numbers, self.keep, self.learned.ways
        pending = [iter([value])]  # what is left of the children of each object on the way down
        while pending:
            for obj in pending[-1]:
                if len(lines) > 4096:
                    self._flush()
                cls = type(obj)
                if cls in WRITTEN_BY_MARSHAL:
                    try:
                        lines.append(marshal.dumps(obj, 2))
                    except ValueError:  # of 2 GiB and more
                        lines.append(atom_bytes(obj))
                    continue
                if cls in ATOM_TYPES:
                    lines.append(atom_bytes(obj))
                    continue
                pure = self._pure_bytes(obj) if cls is tuple else None
                if pure is not None:
                    lines.append(pure)
                    continue
                way = ways.get(cls)
                if way is None:
                    way = ways[cls] = _learn(cls)
                numbering, write, about = way
                if numbering is _ONCE:
                    key = id(obj)
                    if key in numbers:
                        lines.append(b"#%d;" % numbers[key])
                        continue
                    numbers[key] = len(numbers)
                    keep.append(obj)
                elif numbering is not _NOT_KEPT:
                    if numbering is _SEVERAL_TIMES and self._is_once_too_often(obj):
                        continue
                    keep.append(obj)
                children = write(self, obj, about)
                if children:
                    pending.append(iter(children))
                    break
            else:
                pending.pop()
        self._flush()
        if self.reasons and self.keep and self.keep[0] is value and self.numbers.get(id(value)) == -1:
            return "?" + self.reasons[0]
        found: str = self.hash.hexdigest()
        return found + ("?" + self.reasons[0] if self.reasons else "")

    def _flush(self) -> None:
        self.hash.update(b"".join(self.lines))
        self.lines.clear()

    def _is_once_too_often(self, obj: Any) -> bool:
        times = self.times[id(obj)] = self.times.get(id(obj), 0) + 1
        if times > MOST_TIMES:
            self.lines.append(b"#again;")
        return times > MOST_TIMES

    def _children(self, children: Sequence[Any]) -> Sequence[Any]:
        """Writes the children at once if they are atoms, as most often: what marshal writes of a list is its length
        and then what it writes of each. Returns what is still to be written."""
        if not children or type(children[-1]) not in WITH_FLOATS:
            return children
        kinds = set(map(type, children))
        atoms: Any = children
        if not kinds <= WRITTEN_BY_MARSHAL:
            if not kinds <= WITH_FLOATS:
                return children
            atoms = [ONE_NAN if a != a else a for a in children]
        try:
            self.lines.append(marshal.dumps(atoms, 2)[LENGTH_OF_LIST:])
        except ValueError:  # one of them has 2 GiB and more
            return children
        return ()

    def _instance(self, obj: Any, form: InstanceForm) -> Sequence[Any]:
        try:
            layout, children = form.encode(obj)
        except BaseException as error:
            return self._failed(obj, error)
        if not layout.line:
            layout.line = b"(" + head_bytes(layout.head) + b"%d;" % len(children)
        self.lines.append(layout.line)
        return self._children(children)

    def _encoded(self, obj: Any, encoder: EncoderOf) -> Sequence[Any]:
        try:
            if encoder is encode_class_name and self._has_state(obj):
                encoder = encode_class
            head, children = encoder(obj)
        except BaseException as error:
            return self._failed(obj, error)
        self.lines.append(b"(" + head_bytes(head) + b"%d;" % len(children))
        return list(children)

    def _failed(self, obj: Any, error: BaseException) -> Sequence[Any]:
        """An encoder's error: of a library, of a value that is closed, released or half made."""
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, Incomparable):
            return self._incomparable(obj, str(error.args[0]))
        return self._incomparable(obj, "%s (%s)" % (canonical_label(type(obj)), type(error).__name__))

    def _has_state(self, cls: type) -> bool:
        """Whether a class counts with its attributes: the state of a class that has a name is its name's."""
        own = cls is self.root or is_local_name(class_qualname(cls)) or is_in_body_of(cls, self.root)
        return is_session_class(cls) and own

    def _incomparable(self, obj: Any, reason: str) -> Sequence[Any]:
        if len(self.keep) == 1:
            self.numbers[id(obj)] = -1  # the value itself: there is no rest to compare
        self.reasons.append(reason)
        self.lines.append(b"?" + reason.encode("utf-8", "surrogatepass") + b";")
        return ()

    # -------------------------------------------------------------------------------------------- builtin containers

    def _write(self, kind: str, head: Any) -> None:
        self.lines.append(b"(" + head_bytes((kind, head)))

    def _sequence(self, obj: Any, kind: str) -> Sequence[Any]:
        children = list(obj)
        if len(children) < LEAST_FLAT:
            self.lines.append(SMALL_HEADS[kind][len(children)])
            return self._children(children)
        if only_atoms(children):
            self._write(kind, flat_bytes(children))
            return ()
        self._write(kind, len(children))
        return children

    def _dict(self, obj: Dict[Any, Any], kind: str) -> Sequence[Any]:
        if obj is self.namespace or ("__builtins__" in obj and "__name__" in obj):
            self._write("globals", str(obj.get("__name__")))
            return ()
        parts = list(itertools.chain.from_iterable(obj.items()))
        length = len(parts) // 2
        if length < LEAST_FLAT:
            self.lines.append(SMALL_HEADS[kind][length])
            return self._children(parts)
        keys, values = parts[::2], parts[1::2]
        if not only_atoms(keys):
            self._write(kind, length)
            return parts
        if only_atoms(values):
            self._write(kind, flat_bytes(keys) + flat_bytes(values))
            return ()
        self._write(kind, flat_bytes(keys))
        return values

    def _set(self, obj: Any, kind: str) -> Sequence[Any]:
        head, children = self._unordered(obj)
        self._write(kind, head)
        return children

    def _bytearray(self, obj: bytearray, kind: str) -> Sequence[Any]:
        self._write(kind, bytes(obj))
        return ()

    def _bulk(self, part: Bulk, kind: str) -> Sequence[Any]:
        self.lines.append(self._bulk_digest(part))
        return ()

    def _bulk_digest(self, part: Bulk) -> bytes:
        array = part.array
        known = self.learned.bulk.get(id(array))
        if known is None or known[0]() is not array:
            hasher = hashlib.sha1()
            feed_array(hasher, array)
            found: bytes = b"=%d:" % array.nbytes + hasher.digest()
            known = self.learned.bulk[id(array)] = (weakref.ref(array), found)
        return known[1]

    # -------------------------------------------------------------------------------------------- sets, tuples

    def _unordered(self, elements: Any) -> Tuple[bytes, List[Any]]:
        """A set as sorted bytes; elements with an identity follow in an order that their own small states give."""
        members = list(elements)
        types = set(map(type, members))
        if types in ({int}, {str}):
            return flat_bytes(sorted(members)), []
        lines = []
        others = []
        for member in members:
            line = atom_bytes(member) if type(member) in ATOM_TYPES else self._pure_bytes(member)
            if line is None:
                others.append((sketch_of(member, 4), member))
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
        if cls is tuple and len(obj) >= LEAST_FLAT and only_atoms(obj):
            lines = [flat_bytes(list(obj))]
        else:
            for part in obj:
                kind = type(part)
                line: Optional[bytes] = atom_bytes(part) if kind in ATOM_TYPES else self._pure_bytes(part, depth + 1)
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


# What follows from the class of an object: how it is numbered, what writes it, and what that must know of the class.
_Way = Tuple[str, Callable[[Digester, Any, Any], Sequence[Any]], Any]

_NOT_KEPT, _UNNUMBERED, _ONCE, _SEVERAL_TIMES = "not kept", "unnumbered", "once", "several times"
_WAYS: Dict[type, _Way] = {
    list: (_ONCE, Digester._sequence, "list"),
    tuple: (_ONCE, Digester._sequence, "tuple"),
    dict: (_ONCE, Digester._dict, "dict"),
    set: (_ONCE, Digester._set, "set"),
    frozenset: (_NOT_KEPT, Digester._set, "frozenset"),
    bytearray: (_ONCE, Digester._bytearray, "bytearray"),
    Bulk: (_NOT_KEPT, Digester._bulk, ""),
}


def _learn(cls: type) -> _Way:
    numbering = _ONCE
    try:
        encoder: EncoderOf = encode_class_name
        if type not in mro_of(cls):
            encoder = choose_encoder(cls)
            if is_immutable_value(cls):
                numbering = _UNNUMBERED
    except Incomparable as error:
        return (_as_numbered(cls, _ONCE), Digester._incomparable, str(error.args[0]))
    if encoder is encode_instance:
        return (_as_numbered(cls, numbering), Digester._instance, InstanceForm(cls))
    return (_as_numbered(cls, numbering), Digester._encoded, encoder)


def _as_numbered(cls: type, numbering: str) -> str:
    """C++ hands out a wrapper, or another one, of what its objects share: two equal ones are as good as one."""
    return _SEVERAL_TIMES if numbering == _ONCE and type(cls).__name__ == "pybind11_type" else numbering
