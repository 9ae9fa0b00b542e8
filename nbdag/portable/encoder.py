"""What the codecs of one group share while it is pickled."""

from __future__ import annotations

import _pickle
import math
import struct
import sys
import types
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, Mapping, Optional, Set, Tuple

from nbdag.portable.extents import BufferExtent, address_of
from nbdag.portable.sources import Sources

RESTORERS_MODULE = "nbdag_restorers"
NAMES_OF_NBDAG = ("nbdag", "nbdag_agent", "nbdag_restore")


def belongs_to_nbdag(module: Any) -> bool:
    """Whether a module of this name is part of nbdag, in whatever way it came here."""
    return isinstance(module, str) and module.partition(".")[0] in NAMES_OF_NBDAG


class Refused(Exception):
    """A codec cannot take ``value`` apart; becomes :class:`Unstorable` once the path to it is known."""

    def __init__(self, value: Any, reason: str) -> None:
        super().__init__(reason)
        self.value = value
        self.reason = reason


class StandIn:
    """Made by a codec to be pickled in the place of something that several values refer to."""

    def reduce(self, encoder: GroupEncoder) -> Any:
        """What ``__reduce_ex__`` would return."""
        raise NotImplementedError


class GroupEncoder:
    """What the codecs of one group share: names, memory, what is left for the end, and what the target will need."""

    def __init__(self, by_name: Mapping[int, str], namespace: Dict[str, Any], options: Mapping[str, Any]) -> None:
        self.by_name = by_name
        self.namespace = namespace
        self.options = options  # "flat": instances get their attributes at the end, so that recursion stays shallow
        self.sources = Sources()
        self.extents: List[BufferExtent] = []
        self.announced: Dict[int, BufferExtent] = {}
        self.rest: List[Tuple[str, Any, Any]] = []
        self.filled: Set[int] = set()
        self.needs: Set[str] = set()
        self.modules: Set[str] = set()
        self.restorers: Set[str] = set()
        self.opened: Set[str] = set()  # files that open handles lead to, where the target must have them
        self.held: Mapping[int, str] = {}  # values that the reader has under these names
        self.pickled: FrozenSet[int] = frozenset()  # ids of all objects in the pickle, where some are held
        self.private: Set[int] = set()  # arrays that share memory with nothing once restored
        self.mappings: Dict[int, Any] = {}  # what is pickled for each mapping of a file
        self.mapped: Optional[Dict[int, Tuple[Any, str]]] = None  # what classes of SQLAlchemy hold, by id
        self.documents: Dict[int, Any] = {}  # what is pickled for each document of lxml, by its topmost element
        self.embedded: Dict[int, Any] = {}  # open files, by id, whose content goes along
        self.windows: Set[int] = set()  # arrays that hold what a window of a mapping shows
        self.tensor_memories: Dict[int, Any] = {}  # what is pickled for each storage of torch
        self.object_views: Dict[int, List[Any]] = {}  # views of arrays of objects, by their base
        self.object_bases: Set[int] = set()
        self.kept: List[Any] = []  # made while pickling; must live as long as the pickler's memo of addresses
        self._stand_ins = types.ModuleType(RESTORERS_MODULE)

    def restorer(self, name: str) -> Callable[..., Any]:
        """A stand-in that pickles as the restorer ``name``."""
        found = self._stand_ins.__dict__.get(name)
        if found is None:
            found = types.FunctionType(_stand_in.__code__, {}, name)
            found.__module__ = RESTORERS_MODULE
            found.__qualname__ = name
            setattr(self._stand_ins, name, found)
            self.restorers.add(name)
        return found

    def named(self, name: str) -> Tuple[Any, ...]:
        """The reduction of something that replay defines under ``name`` before the group is loaded."""
        self.needs.add(name.partition(".")[0])
        return self.restorer("named"), (name,)

    def memory(self, extent: BufferExtent, exporter: Any) -> Any:
        """A buffer for the pickle that stands for ``extent``; ``exporter`` is any object with a buffer."""
        buffer = _pickle.PickleBuffer(exporter)
        self.announced[id(buffer)] = extent
        self.kept.append(buffer)
        return buffer

    def take_buffer(self, buffer: Any) -> None:
        """The pickler's ``buffer_callback``."""
        extent = self.announced.pop(id(buffer), None)
        if extent is None:  # a library's own
            raw = buffer.raw()
            extent = BufferExtent(address_of(raw) if raw.nbytes else 0, raw.nbytes, raw)
        self.extents.append(extent)

    def finish_later(self, how: str, value: Any, state: Any) -> None:
        """Let the restorer ``how`` give ``value`` its ``state`` when everything else exists."""
        self.rest.append((how, value, state))

    def name_of_nan(self, value: float) -> Any:
        """What stands for this NaN in every group of the session; None for one with bits of its own."""
        bits = struct.pack(">d", value)
        if bits[1:] != b"\xf8" + bytes(6):
            return None
        numpy: Any = sys.modules.get("numpy")
        if value is getattr(numpy, "nan", None):
            self.modules.add("numpy")
            return "numpy.nan"
        if value is math.nan:
            return "math.nan"
        self.kept.append(value)
        return "%s%x" % ("+" if bits[0] == 0x7F else "-", id(value))

    def drain(self) -> Iterator[Optional[Tuple[Any, Any, Any]]]:
        """What is left for the end; grows while it is pickled.

        The pickler asks for one item more before it pickles the last one, which may add to the rest: a None makes it
        go ahead.
        """
        done = 0
        while True:
            while done < len(self.rest):
                how, value, state = self.rest[done]
                done += 1
                yield self.restorer(how), value, state
            yield None
            if done == len(self.rest):
                return

    def __enter__(self) -> None:
        sys.modules[RESTORERS_MODULE] = self._stand_ins

    def __exit__(self, *exception: object) -> None:
        sys.modules.pop(RESTORERS_MODULE, None)


def _stand_in(*arguments: Any) -> None:
    """Is pickled by name, never called."""
