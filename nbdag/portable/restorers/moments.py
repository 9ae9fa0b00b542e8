"""Restorers of the scalars of pandas; counterpart of ``codecs/moments.py``."""

from __future__ import annotations

from typing import Any

from nbdag.portable.restorers.definitions import restore_module


def restore_moment(kind: str, value: int, unit: str, zone: Any, fold: int) -> Any:
    """A timestamp or a time difference; before pandas 2 in nanoseconds, as it knows no other unit."""
    pandas, numpy = restore_module("pandas"), restore_module("numpy")
    if kind == "Timedelta":
        made = pandas.Timedelta(numpy.timedelta64(value, unit))
    else:
        made = pandas.Timestamp(numpy.datetime64(value, unit))
        if zone is not None:
            made = made.tz_localize("UTC").tz_convert(zone)
        if fold:
            made = made.replace(fold=1)
    return made


def restore_period(ordinal: int, frequency: str) -> Any:
    """A period."""
    return restore_module("pandas").Period(ordinal=ordinal, freq=frequency)


def restore_pytz_zone(zone: Any, offset: Any, saving: Any, name: Any) -> Any:
    """A time zone of pytz; of the standard library where that is not installed."""
    try:
        pytz = restore_module("pytz")
    except ImportError:
        if not isinstance(zone, str):
            return zone
        import zoneinfo

        return zoneinfo.ZoneInfo(zone)
    if not isinstance(zone, str):
        return pytz.FixedOffset(zone.utcoffset(None).total_seconds() // 60)
    found = pytz.timezone(zone)
    if offset is not None and hasattr(found, "_tzinfos"):
        found = found._tzinfos.get((offset, saving, name), found)
    return found
