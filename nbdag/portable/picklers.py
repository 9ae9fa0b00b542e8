"""The picklers of a group: the C one, the one without recursion, and what each asks before it pickles an object."""

from __future__ import annotations

import _pickle
from typing import Any, Dict

from nbdag.portable.additions import added_attributes, may_have_additions
from nbdag.portable.codecs.registry import CODECS
from nbdag.portable.deep import IterativePickler
from nbdag.portable.encoder import GroupEncoder, Refused, StandIn, belongs_to_nbdag


class LastPart:
    """Pickled last; takes what the encoder has left for the end as its items."""


class _AsksCodecs:
    """What a pickler does first: ask the codecs. ``current`` is the object it was last asked about."""

    encoder: GroupEncoder
    current: Any
    codec_by_type: Dict[type, Any]

    def _ask(self, encoder: GroupEncoder) -> None:
        self.encoder = encoder
        self.current = None
        self.codec_by_type = {}

    def reducer_override(self, value: Any) -> Any:
        """The reduction of ``value`` by the codec of its type, NotImplemented where pickle's own will do."""
        self.current = value
        kind = type(value)
        try:
            codec = self.codec_by_type[kind]
        except KeyError:
            codec = self.codec_by_type[kind] = self.codec_of(kind)
        return NotImplemented if codec is None else codec(value, self.encoder)

    def codec_of(self, kind: type) -> Any:
        """The first codec that takes values of this type."""
        if kind is LastPart:
            return _reduce_rest
        if issubclass(kind, StandIn):
            return kind.reduce
        if belongs_to_nbdag(getattr(kind, "__module__", None)):
            return _refuse_own
        for choose in CODECS:
            codec = choose(kind, self.encoder)
            if codec is not None:
                break
        else:
            codec = None
        return _with_additions(codec) if may_have_additions(kind) else codec


class GroupPickler(_AsksCodecs, _pickle.Pickler):
    """The C pickler, for all but what is nested too deeply for it."""

    def __init__(self, sink: Any, encoder: GroupEncoder) -> None:
        super().__init__(sink, 5, buffer_callback=encoder.take_buffer)
        self._ask(encoder)


class DeepPickler(_AsksCodecs, IterativePickler):
    """For what is nested too deeply for recursion."""

    def __init__(self, sink: Any, encoder: GroupEncoder) -> None:
        super().__init__(sink, encoder.take_buffer)
        self._ask(encoder)


class _TellsNans:
    """Also keeps apart which NaN is which: ``nan in [nan]`` asks for the very object. Four times as slow."""

    encoder: GroupEncoder

    def persistent_id(self, value: Any) -> Any:
        """The name of a NaN, None for anything else."""
        return None if type(value) is not float or value == value else self.encoder.name_of_nan(value)


class _RefersToHeld(_TellsNans):
    """Refers to the values that the other side holds by the names that they have there."""

    def persistent_id(self, value: Any) -> Any:
        """``=name`` of a value that is held, the name of a NaN, None for anything else."""
        name = self.encoder.held.get(id(value))
        return super().persistent_id(value) if name is None else "=" + name


class _NanPickler(_TellsNans, GroupPickler):
    pass


class _DeepNanPickler(_TellsNans, DeepPickler):
    pass


class _VisitPickler(_RefersToHeld, GroupPickler):
    pass


class _DeepVisitPickler(_RefersToHeld, DeepPickler):
    pass


def new_pickler(sink: Any, encoder: GroupEncoder) -> Any:
    """The fastest pickler that does what this encoding needs."""
    options, number = encoder.options, 0
    if encoder.held:
        number = 2
    elif options.get("nans"):
        number = 1
    kinds = (DeepPickler, _DeepNanPickler, _DeepVisitPickler)
    if not options.get("deep"):
        kinds = (GroupPickler, _NanPickler, _VisitPickler)  # type: ignore[assignment]
    return kinds[number](sink, encoder)


def _reduce_rest(value: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("rest"), (), None, encoder.drain()


def _with_additions(codec: Any) -> Any:
    """``codec`` for a type whose pickle drops what was hung on an object: that is set again when all else exists."""

    def reduce(value: Any, encoder: GroupEncoder) -> Any:
        added = added_attributes(value)
        if added:
            encoder.finish_later("additions", value, added)
        return NotImplemented if codec is None else codec(value, encoder)

    return reduce


def _refuse_own(value: Any, encoder: GroupEncoder) -> Any:
    raise Refused(value, "it belongs to nbdag itself")
