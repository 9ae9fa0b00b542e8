"""Options of the standard library and of loaded libraries that sessions change, as JSON values, and setting them.

A ``*_state`` function gives a table of options, or None where the library is not loaded; tables of optional libraries
hold only what differs from the library's own defaults, so that one taken before the import compares with one after.
A ``set_*`` function takes ``{"set": table, "unset": names}``, and returns a sentence for what cannot be done here.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Optional

NUMPY_PRINT_DEFAULTS = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False, "linewidth": 75,
    "nanstr": "nan", "infstr": "inf", "sign": "-", "legacy": False,
}  # fmt: skip
NUMPY_ERROR_DEFAULTS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
# Options that say something about the machine or the front end, not about the session.
MATPLOTLIB_SKIPPED = ("backend", "backend_fallback", "interactive", "toolbar", "timezone", "webagg.port", "docstring")
PANDAS_SKIPPED = ("display.encoding", "io.", "future.infer_string", "mode.string_storage", "mode.use_inf_as_null")
LOGGING_SKIPPED = ("asyncio", "parso", "IPKernelApp", "traitlets", "tornado", "zmq", "ipykernel", "Comm", "matplotlib")


def plain(value: Any) -> bool:
    """Whether a value is JSON as it is."""
    if type(value) in (list, tuple):
        return all(plain(item) for item in value)
    if type(value) is dict:
        return all(type(key) is str and plain(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)


# ------------------------------------------------------------------------------------------------ standard library


def warnings_state() -> Optional[List[List[Any]]]:
    """The filters in their order: action, message pattern, category as "module:name", module pattern, line."""
    warnings = sys.modules.get("warnings")
    return None if warnings is None else spelled_filters(list(warnings.filters))


def spelled_filters(filters: List[Any]) -> List[List[Any]]:
    """Filters as JSON values."""
    spelled = []
    for action, message, category, module, line in filters:
        label = f"{getattr(category, '__module__', '')}:{getattr(category, '__qualname__', '')}"
        spelled.append([action, pattern_text(message), label, pattern_text(module), line])
    return spelled


def pattern_text(pattern: Any) -> Optional[List[Any]]:
    """A compiled pattern as its text and flags; a plain string (the interpreter's own filters) has flags None."""
    if pattern is None:
        return None
    return [pattern, None] if type(pattern) is str else [pattern.pattern, pattern.flags]


def set_warnings(change: Dict[str, List[Any]]) -> Optional[str]:
    """Put filters in front and behind, take some away. A filter for a category of a library that is not loaded here
    waits for nothing: the library brings its own filters when it comes."""
    import re
    import warnings

    filters: Any = warnings.filters
    known = warnings_state() or []
    for removed in change["removed"]:
        filters[:] = [entry for entry, spelled in zip(filters, known) if spelled != removed]  # noqa: B905
        known = [spelled for spelled in known if spelled != removed]
    rebuilt: Dict[str, List[Any]] = {"front": [], "back": []}
    for place in rebuilt:
        for entry in change[place]:
            action, message, spelled, module, line = entry
            category = find_class(spelled)
            if category is not None and entry not in known:
                texts = [
                    None if text is None else text[0] if text[1] is None else re.compile(text[0], text[1])
                    for text in (message, module)
                ]
                rebuilt[place].append((action, texts[0], category, texts[1], line))
    filters[:] = in_order(rebuilt["front"] + list(filters) + rebuilt["back"], change.get("order", []))
    mutated = getattr(warnings, "_filters_mutated", None) or getattr(warnings, "_filters_mutated_lock_held", None)
    if mutated is not None:
        mutated()
    return None


def in_order(filters: List[Any], order: List[Any]) -> List[Any]:
    """``filters`` as they were in the session: which is asked first depends on what was imported when. One that was not
    there stays with the one behind it."""
    places: List[int] = []
    place = len(order)
    for entry in reversed(spelled_filters(filters)):
        place = order.index(entry) if entry in order else place
        places.insert(0, place)
    return [filters[number] for number in sorted(range(len(filters)), key=places.__getitem__)]


def find_class(spelled: str) -> Optional[Any]:
    """The class named "module:name" of a loaded module, None where there is none."""
    module, _, qualname = spelled.partition(":")
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None


def logging_state() -> Optional[Dict[str, Any]]:
    """Levels of the loggers that have one, by name ("" is the root), and ``logging.disable``."""
    import logging

    levels: Dict[str, Any] = {"": logging.root.level, "disabled below": int(logging.root.manager.disable)}
    for name, logger in sorted(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and logger.level and name.partition(".")[0] not in LOGGING_SKIPPED:
            levels[name] = logger.level
    return levels


def set_logging(change: Dict[str, Any]) -> Optional[str]:
    """Set levels of loggers."""
    import logging

    for name, level in change["set"].items():
        if name == "disabled below":
            logging.disable(level)
        else:
            logging.getLogger(name or None).setLevel(level)
    for name in change["unset"]:
        logging.getLogger(name).setLevel(logging.NOTSET)
    return None


def decimal_state() -> Optional[Dict[str, Any]]:
    """The decimal context of this thread."""
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return {}
    context = decimal.getcontext()
    default = decimal.DefaultContext
    state: Dict[str, Any] = {}
    for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
        if getattr(context, name) != getattr(default, name):
            state[name] = getattr(context, name)
    traps = sorted(signal.__name__ for signal, on in context.traps.items() if on)
    if traps != sorted(signal.__name__ for signal, on in default.traps.items() if on):
        state["traps"] = traps
    return state


def set_decimal(change: Dict[str, Any]) -> Optional[str]:
    """Set this thread's decimal context."""
    import decimal

    context = decimal.getcontext()
    default = decimal.DefaultContext
    for name in change["unset"]:
        if name == "traps":
            context.traps = default.traps.copy()
        else:
            setattr(context, name, getattr(default, name))
    for name, value in change["set"].items():
        if name == "traps":
            for signal in context.traps:
                context.traps[signal] = signal.__name__ in value
        else:
            setattr(context, name, value)
    return None


def locale_state() -> Optional[Dict[str, Any]]:
    """The locale of each category, as the C library spells it."""
    import locale

    names = ("LC_CTYPE", "LC_COLLATE", "LC_TIME", "LC_MONETARY", "LC_NUMERIC")
    return {name: locale.setlocale(getattr(locale, name)) for name in names}


def set_locale(change: Dict[str, Any]) -> Optional[str]:
    """Set the locale where this machine has it."""
    import locale

    missing = []
    for name, value in change["set"].items():
        try:
            locale.setlocale(getattr(locale, name), value)
        except locale.Error:
            missing.append(f"{name}={value}")
    return "locales not installed here: " + ", ".join(missing) if missing else None


# ------------------------------------------------------------------------------------------------ libraries


def numpy_state() -> Optional[Dict[str, Any]]:
    """Print options and floating-point error handling that are not NumPy's defaults."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "get_printoptions"):
        return None
    state: Dict[str, Any] = {}
    for name, value in numpy.get_printoptions().items():
        if name in NUMPY_PRINT_DEFAULTS and plain(value) and value != NUMPY_PRINT_DEFAULTS[name]:
            state["print." + name] = value
    for name, value in numpy.geterr().items():
        if value != NUMPY_ERROR_DEFAULTS.get(name):
            state["error." + name] = value
    return state


def set_numpy(change: Dict[str, Any]) -> Optional[str]:
    """Set NumPy's options."""
    try:
        import numpy
    except ImportError:
        return "NumPy's print options were not restored: it is not installed here"
    wanted: Dict[str, Any] = {
        name: NUMPY_PRINT_DEFAULTS.get(name[6:]) for name in change["unset"] if name.startswith("print.")
    }
    wanted.update({name: NUMPY_ERROR_DEFAULTS.get(name[6:]) for name in change["unset"] if name.startswith("error.")})
    wanted.update(change["set"])
    options: Dict[str, Any] = {name[6:]: value for name, value in wanted.items() if name.startswith("print.")}
    errors: Dict[str, Any] = {name[6:]: value for name, value in wanted.items() if name.startswith("error.")}
    if options:
        numpy.set_printoptions(**options)
    if errors:
        numpy.seterr(**errors)
    return None


def pandas_registry() -> Optional[Any]:
    """pandas' table of options, None where it is not loaded."""
    config = sys.modules.get("pandas._config.config")
    return config if config is not None and hasattr(config, "_registered_options") else None


def pandas_state() -> Optional[Dict[str, Any]]:
    """pandas options that are not the defaults."""
    config = pandas_registry()
    if config is None:
        return None
    state: Dict[str, Any] = {}
    for name, option in sorted(config._registered_options.items()):
        if name.startswith(PANDAS_SKIPPED):
            continue
        value: Any = config._global_config
        for part in name.split("."):
            value = value[part]
        if plain(value) and value != option.defval:
            state[name] = value
    return state


def set_pandas(change: Dict[str, Any]) -> Optional[str]:
    """Set pandas options; ones that this version does not have are named."""
    try:
        import pandas  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return "pandas options were not restored: it is not installed here"
    unknown = []
    for name, value in change["set"].items():
        try:
            pandas.set_option(name, value)
        except Exception:
            unknown.append(name)
    for name in change["unset"]:
        try:
            pandas.reset_option(name)
        except Exception:
            unknown.append(name)
    return "pandas options unknown to this version: " + ", ".join(unknown) if unknown else None


def matplotlib_state() -> Optional[Dict[str, Any]]:
    """rcParams that are not matplotlib's defaults; cyclers as the text that matplotlib reads them from."""
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is None or not hasattr(matplotlib, "rcParamsDefault"):
        return None
    default: Dict[str, Any] = dict(dict.items(matplotlib.rcParamsDefault))
    state: Dict[str, Any] = {}
    for name, value in sorted(dict.items(matplotlib.rcParams)):
        if name in MATPLOTLIB_SKIPPED or value == default.get(name):
            continue
        if type(value).__name__ == "Cycler":
            state[name] = repr(value)
        elif plain(value):
            state[name] = list(value) if type(value) is tuple else value
    return state


def set_matplotlib(change: Dict[str, Any]) -> Optional[str]:
    """Set rcParams; ones that this version does not have are named."""
    try:
        import matplotlib
    except ImportError:
        return "matplotlib's rcParams were not restored: it is not installed here"
    unknown = []
    for name, value in change["set"].items():
        try:
            matplotlib.rcParams[name] = value
        except Exception:
            unknown.append(name)
    for name in change["unset"]:
        if name in matplotlib.rcParamsDefault:
            matplotlib.rcParams[name] = matplotlib.rcParamsDefault[name]
    return "rcParams unknown to this version: " + ", ".join(unknown) if unknown else None
