"""Scalars of pandas by what they say: their own pickles name functions that come and go from release to release."""

from __future__ import annotations

import datetime
import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder


def choose_moment_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Timestamps, time differences, periods, NaT and NA; time zones of pytz, which newer releases do without."""
    if kind.__module__.partition(".")[0] == "pytz":
        return _reduce_pytz
    pandas: Any = sys.modules.get("pandas")
    if pandas is None or kind.__module__.partition(".")[0] != "pandas" or not hasattr(pandas, "NaT"):
        return None
    codec: Any = None
    if kind is pandas.Timestamp or kind is pandas.Timedelta:
        codec = _reduce_moment
    elif kind is pandas.Period:
        codec = _reduce_period
    elif kind is type(pandas.NaT) or kind is type(pandas.NA):
        codec = _reduce_missing
    if codec is not None:
        encoder.modules.add("pandas")
    return codec


def portable_zone(zone: Any) -> Any:
    """A time zone as its name, where it has one: pandas looks it up in the library that it uses."""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    return name if isinstance(name, str) else zone


def _reduce_pytz(zone: Any, encoder: GroupEncoder) -> Any:
    if isinstance(zone, datetime.tzinfo):
        name = portable_zone(zone)
        if name is zone:
            return encoder.restorer("pytz_zone"), (datetime.timezone(zone.utcoffset(None)), None, None, None)
        # A zone of pytz is one of its offsets: summer time and winter time are two objects.
        return encoder.restorer("pytz_zone"), (
            name,
            getattr(zone, "_utcoffset", None),
            getattr(zone, "_dst", None),
            getattr(zone, "_tzname", None),
        )
    return NotImplemented


def _reduce_moment(value: Any, encoder: GroupEncoder) -> Any:
    zone = getattr(value, "tzinfo", None)
    return encoder.restorer("moment"), (
        type(value).__name__,
        value._value if hasattr(value, "_value") else value.value,
        getattr(value, "unit", "ns"),
        portable_zone(zone),
        getattr(value, "fold", 0),
    )


def _reduce_period(value: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("period"), (value.ordinal, value.freqstr)


def _reduce_missing(value: Any, encoder: GroupEncoder) -> Any:
    return encoder.restorer("attribute"), ("pandas", "NaT" if value is sys.modules["pandas"].NaT else "NA")
