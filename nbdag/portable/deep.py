"""A pickler whose depth costs memory and not stack: for lists in lists in lists, a hundred thousand deep.

The C pickler calls itself for every level, and each Python draws the line elsewhere: 3.8 to 3.11 and 3.14 by the stack
of the thread, 3.12 and 3.13 by a count that nothing raises. This one keeps what it has begun on a list of its own:

    [[[7]]]      begun:  list 1 > list 2 > list 3        7 is written, then the three ends, innermost first

It asks the same hooks in the same order as the C pickler and writes pickles that the C unpickler, which never
recurses, loads as it loads any. Ten to twenty times as slow, so it is taken only where recursion failed.
"""

from __future__ import annotations

import copyreg
import pickle
import struct
import types
from typing import Any, Dict, Generator, Iterator, List

BATCH = 1000  # items between a mark and its end, as pickle has it


_PythonPickler: Any = getattr(pickle, "_Pickler")  # noqa: B009 - the one in Python, private by name


class IterativePickler(_PythonPickler):  # type: ignore[misc]
    """``dump`` writes what ``pickle.Pickler`` would. ``reducer_override`` and ``persistent_id`` are for subclasses."""

    def __init__(self, sink: Any, buffer_callback: Any) -> None:
        super().__init__(sink, 5, buffer_callback=buffer_callback)

    def dump(self, root: Any) -> None:
        """Write the pickle of ``root``."""
        self.write(pickle.PROTO + b"\x05")
        self.framer.start_framing()
        begun: List[Iterator[Any]] = [self._begin(root)]
        while begun:
            for part in begun[-1]:
                begun.append(self._begin(part))
                break
            else:
                begun.pop()
        self.write(pickle.STOP)
        self.framer.end_framing()

    def reducer_override(self, value: Any) -> Any:
        """What the C pickler would ask; a subclass says more."""
        return NotImplemented

    def _begin(self, value: Any) -> Generator[Any, None, None]:
        """Writes ``value``; yields each part that has to be written before it goes on."""
        self.framer.commit_frame()
        name = self.persistent_id(value)
        if name is not None:
            self.save_pers(name)
            return
        known = self.memo.get(id(value))
        if known is not None:
            self.write(self.get(known[0]))
            return
        kind = type(value)
        compound = _COMPOUND.get(kind)
        if compound is not None:
            yield from compound(self, value)
        elif kind in _WHOLE:
            self.dispatch[kind](self, value)
        else:
            yield from self._reduced(value, kind)

    def _reduced(self, value: Any, kind: type) -> Generator[Any, None, None]:
        reduced = self.reducer_override(value)
        if reduced is NotImplemented:
            if issubclass(kind, type):
                self.save_type(value)
                return
            if kind is types.FunctionType:
                self.save_global(value)
                return
            special = copyreg.dispatch_table.get(kind)
            reduced = value.__reduce_ex__(5) if special is None else special(value)
        if isinstance(reduced, str):
            self.save_global(value, reduced)
            return
        if not isinstance(reduced, tuple) or not 2 <= len(reduced) <= 6:
            raise pickle.PicklingError("the __reduce__ of %s gave no tuple of two to six" % kind.__name__)
        yield from self._made(value, *reduced)

    def _made(
        self,
        value: Any,
        make: Any,
        arguments: Any,
        state: Any = None,
        items: Any = None,
        pairs: Any = None,
        setter: Any = None,
    ) -> Generator[Any, None, None]:
        """What makes an object, then what fills it: the order in which pickle's VM runs them."""
        how = getattr(make, "__name__", "")
        if how == "__newobj__":
            yield arguments[0]
            yield tuple(arguments[1:])
            self.write(pickle.NEWOBJ)
        elif how == "__newobj_ex__":
            yield arguments[0]
            yield arguments[1]
            yield arguments[2]
            self.write(pickle.NEWOBJ_EX)
        else:
            yield make
            yield arguments
            self.write(pickle.REDUCE)
        if id(value) in self.memo:  # an argument led back here
            self.write(pickle.POP + self.get(self.memo[id(value)][0]))
        else:
            self.memoize(value)
        if items is not None:
            yield from self._appended(iter(items))
        if pairs is not None:
            yield from self._set(iter(pairs))
        if state is not None:
            if setter is None:
                yield state
                self.write(pickle.BUILD)
            else:
                yield setter
                yield value
                yield state
                self.write(pickle.TUPLE2 + pickle.REDUCE + pickle.POP)

    def _appended(self, items: Iterator[Any]) -> Generator[Any, None, None]:
        count = 0
        for item in items:
            if not count:
                self.write(pickle.MARK)
            yield item
            count += 1
            if count == BATCH:
                self.write(pickle.APPENDS)
                count = 0
        if count:
            self.write(pickle.APPENDS)

    def _set(self, pairs: Iterator[Any]) -> Generator[Any, None, None]:
        count = 0
        for key, item in pairs:
            if not count:
                self.write(pickle.MARK)
            yield key
            yield item
            count += 1
            if count == BATCH:
                self.write(pickle.SETITEMS)
                count = 0
        if count:
            self.write(pickle.SETITEMS)

    def _list(self, value: Any) -> Generator[Any, None, None]:
        self.write(pickle.EMPTY_LIST)
        self.memoize(value)
        yield from self._appended(iter(value))

    def _dict(self, value: Any) -> Generator[Any, None, None]:
        self.write(pickle.EMPTY_DICT)
        self.memoize(value)
        yield from self._set(iter(value.items()))

    def _tuple(self, value: Any) -> Generator[Any, None, None]:
        if not value:
            self.write(pickle.EMPTY_TUPLE)
            return
        short = len(value) <= 3
        if not short:
            self.write(pickle.MARK)
        yield from value
        if id(value) in self.memo:  # a part led back here: what was put on the stack for it is not needed
            self.write((pickle.POP * len(value) if short else pickle.POP_MARK) + self.get(self.memo[id(value)][0]))
            return
        self.write((pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)[len(value) - 1] if short else pickle.TUPLE)
        self.memoize(value)

    def _members(self, value: Any) -> Generator[Any, None, None]:
        self.write(pickle.EMPTY_SET)
        self.memoize(value)
        members = iter(value)
        while True:
            batch = [member for _, member in zip(range(BATCH), members)]  # noqa: B905
            if not batch:
                return
            self.write(pickle.MARK)
            yield from batch
            self.write(pickle.ADDITEMS)

    def _frozen(self, value: Any) -> Generator[Any, None, None]:
        self.write(pickle.MARK)
        yield from value
        if id(value) in self.memo:
            self.write(pickle.POP_MARK + self.get(self.memo[id(value)][0]))
            return
        self.write(pickle.FROZENSET)
        self.memoize(value)

    def _bytes(self, value: bytearray) -> Generator[Any, None, None]:
        # Not pickle's own: some releases forget that they have written it, and two views would get one each.
        self.write(pickle.BYTEARRAY8 + struct.pack("<Q", len(value)))
        self.write(value)
        self.memoize(value)
        yield from ()


_COMPOUND: Dict[type, Any] = {
    list: IterativePickler._list,
    dict: IterativePickler._dict,
    tuple: IterativePickler._tuple,
    set: IterativePickler._members,
    frozenset: IterativePickler._frozen,
    bytearray: IterativePickler._bytes,
}
_WHOLE = frozenset([type(None), bool, int, float, str, bytes, pickle.PickleBuffer])
