"""The purity tables against the libraries as they are installed: every call that a table vouches for is made.

A claim that is false makes a wrong restore, so each is tried with many arguments; what is compared before and after is
the canonical digest. ``python -m tests.analysis.purity_check LIBRARY`` prints what is wrong, in any environment.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import io
import itertools
import json
import os
import signal
import tempfile
import time
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nbdag.analysis import purity
from nbdag.analysis.defuse.values import IMMUTABLE
from nbdag.analysis.purity import Signature
from nbdag.portable.digest import digest

SECONDS = 0.3  # of CPU, for all attempts to call one function
SUCCESSES = 16  # calls of one function that are enough


@dataclass(frozen=True)
class Wrong:
    """A claim of a table that is not so."""

    name: str
    what: str
    call: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.what}  [{self.call}]"


# ------------------------------------------------------------------------------------------------ what there is


def has(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def resolve(path: str) -> Any:
    """The object that ``path`` names; AttributeError if there is none."""
    parts = path.split(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for count in range(len(parts), 0, -1):
            try:
                found: Any = importlib.import_module(".".join(parts[:count]))
            except ImportError:
                continue
            for part in parts[count:]:
                found = getattr(found, part)
            return found
    raise AttributeError(path)


def named_functions(library: str) -> list[str]:
    """Every dotted name of the tables that is no pattern."""
    return sorted(name for name in purity._FUNCTIONS if name.startswith(library + ".") and "*" not in name)


def pattern_functions(library: str) -> list[str]:
    """Public functions of the modules that the tables cover by a pattern."""
    modules = {name.rpartition(".")[0] for name in purity._FUNCTIONS if name.startswith(library + ".") and "*" in name}
    found = set()
    for module in sorted(modules):
        try:
            place = resolve(module)
        except AttributeError:
            continue
        for name in dir(place):
            if name.startswith("_"):
                continue
            path = f"{module}.{name}"
            with contextlib.suppress(Exception), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = getattr(place, name)
                if callable(value) and not isinstance(value, types.ModuleType):
                    found.add(path)
    return sorted(found - set(named_functions(library)))


# ------------------------------------------------------------------------------------------------ values


def pieces(value: Any, depth: int = 4) -> tuple[dict[int, Any], list[tuple[int, int]]]:
    """The mutable objects in ``value`` by id, and the address ranges of its buffers."""
    objects: dict[int, Any] = {}
    ranges: list[tuple[int, int]] = []
    seen: set[int] = set()

    def walk(one: Any, depth: int) -> None:
        if id(one) in seen or depth < 0 or one is None:
            return
        seen.add(id(one))
        kind, module = type(one).__name__, type(one).__module__.partition(".")[0]
        if isinstance(one, (str, bytes, int, float, complex, type, types.ModuleType, types.FunctionType, range, slice)):
            return
        if isinstance(one, (types.BuiltinFunctionType, types.MethodType)):
            return
        if module == "numpy":
            if kind in ("ndarray", "memmap", "matrix", "MaskedArray", "recarray"):
                if one.size and one.flags.writeable:
                    low, high = _bounds(one)
                    ranges.append((low, high))
                    objects[id(one)] = one
                if one.dtype == object:
                    for part in one.ravel()[:50].tolist():
                        walk(part, depth - 1)
                return
            if kind in ("Generator", "RandomState", "poly1d"):
                objects[id(one)] = one
            return
        if module == "pandas":
            if kind in ("DataFrame", "Series") and _copies_on_write():
                objects[id(one)] = one  # what shares its memory gets its own when it is written to
                return
            if kind == "DataFrame":
                objects[id(one)] = one
                for column in range(one.shape[1]):
                    walk(one._mgr.iget_values(column), depth - 1)
                return
            if kind == "Series":
                objects[id(one)] = one
                walk(one._values, depth - 1)
                return
            if kind.endswith("Index"):
                return  # nobody can change one
            for name in ("_ndarray", "_data", "_mask", "_codes", "obj"):
                with contextlib.suppress(Exception):
                    walk(getattr(one, name), depth - 1)
            return
        if module == "torch" and kind in ("Tensor", "Parameter"):
            objects[id(one)] = one
            low = one.untyped_storage().data_ptr()
            if one.numel():
                ranges.append((low, low + one.untyped_storage().nbytes()))
            return
        if module == "polars":
            if kind in ("DataFrame", "Series"):
                objects[id(one)] = one
            return
        if isinstance(one, (list, set, dict, bytearray)):
            objects[id(one)] = one
        if isinstance(one, dict):
            for part in list(one.values())[:50]:
                walk(part, depth - 1)
        elif isinstance(one, (list, tuple, set, frozenset)):
            for part in list(one)[:50]:
                walk(part, depth - 1)
        elif hasattr(one, "__dict__") and module not in ("_thread",):
            objects[id(one)] = one
            for part in list(vars(one).values())[:80]:
                walk(part, depth - 1)

    walk(value, depth)
    return objects, ranges


def _copies_on_write() -> bool:
    import pandas

    return int(pandas.__version__.partition(".")[0]) >= 3


def _bounds(array: Any) -> tuple[int, int]:
    low = high = array.__array_interface__["data"][0]
    for count, stride in zip(array.shape, array.strides, strict=True):
        reach = (count - 1) * stride
        low, high = (low, high + reach) if reach > 0 else (low + reach, high)
    return low, high + array.itemsize


def shared(one: Any, other: Any) -> bool:
    """Whether a change of ``one`` can be a change of ``other``."""
    first, first_ranges = pieces(one)
    second, second_ranges = pieces(other)
    if set(first) & set(second):
        return True
    return any(a < d and c < b for a, b in first_ranges for c, d in second_ranges)


def is_immutable(value: Any) -> bool:
    objects, ranges = pieces(value)
    return not objects and not ranges


def state(value: Any) -> str:
    found = digest(value, {})
    if not found.startswith("?"):
        return found
    return repr(value)


# ------------------------------------------------------------------------------------------------ calls


def try_calls(
    name: str,
    make: Callable[[], tuple[Any, Callable[..., Any]]],
    signature: Signature,
    arguments: Callable[[], Iterator[tuple[tuple[Any, ...], dict[str, Any]]]],
) -> tuple[int, list[Wrong]]:
    """Calls what ``make`` gives (receiver or None, callable); how many calls came back, and what is wrong."""
    wrong: dict[str, Wrong] = {}
    done = 0
    end = time.process_time() + SECONDS
    for positional, keywords in arguments():
        if time.process_time() > end or done >= SUCCESSES:
            break
        try:
            receiver, function = make()
        except Exception as error:
            return done, [Wrong(name, f"no receiver: {type(error).__name__}: {error}")]
        given = [*positional, *keywords.values()]
        before = [state(one) for one in (receiver, *given)]
        held = [receiver is not None and not shared(receiver, one) for one in given]
        try:
            result = _quietly(function, positional, keywords)
        except (Exception, SystemExit):
            continue
        done += 1
        call = f"({', '.join([_say(one) for one in positional] + [f'{k}={_say(v)}' for k, v in keywords.items()])})"
        for problem in _judge(signature, receiver, given, list(keywords), before, held, result):
            wrong.setdefault(problem, Wrong(name, problem, call))
    return done, list(wrong.values())


def _judge(
    signature: Signature,
    receiver: Any,
    given: list[Any],
    keywords: list[str],
    before: list[str],
    held: list[bool],
    result: Any,
) -> Iterator[str]:
    if signature.everything or signature.opaque:
        return
    if signature.unless_copied and any(name.startswith("copy") for name in keywords):
        return  # nothing is promised then
    inplace = signature.inplace and "inplace" in keywords
    after = [state(one) for one in (receiver, *given)]
    if receiver is not None and before[0] != after[0] and not (signature.receiver or signature.perhaps or inplace):
        yield "changes its receiver"
    count = len(given) - len(keywords)
    for number, one in enumerate(given):
        keyword = keywords[number - count] if number >= count else ""
        places = (*signature.positions, *signature.doubtful)
        allowed = keyword in signature.keywords if keyword else number in places
        exhausted = hasattr(one, "__next__")
        if before[number + 1] != after[number + 1] and not allowed and not exhausted and keyword != "out":
            if any(name.startswith("overwrite") for name in keywords):
                continue
            yield f"changes argument {keyword or number}"
        if held[number] and shared(receiver, one) and not signature.holds and not inplace:
            yield f"its receiver holds argument {keyword or number}"
    if result is None:
        return
    if signature.result in IMMUTABLE:
        if not is_immutable(result):
            yield f"returns a {_kind(result)}, which can change"
        return
    if signature.same:
        return
    loose = signature.view or signature.parts or signature.element
    copies = any(name == "copy" for name in keywords)  # any call with copy= is taken to give a view
    if receiver is not None and not loose and not copies and shared(result, receiver):
        yield f"its result ({_kind(result)}) shares with the receiver"
    from_arguments = signature.parts or (receiver is None and (signature.view or signature.element))
    if not from_arguments and not copies:
        for number, one in enumerate(given):
            if keywords and number >= count and keywords[number - count] == "out":
                continue
            if number not in signature.positions and shared(result, one):
                yield f"its result ({_kind(result)}) shares with argument {number}"
    if signature.result and not _is_kind(result, signature.result):
        yield f"returns a {_kind(result)} and no {signature.result}"


def _kind(value: Any) -> str:
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"


def _is_kind(value: Any, claimed: str) -> bool:
    """Whether a value taken for a ``claimed`` is treated right: none of its methods does more than the claim allows.

    A Series that is taken for a DataFrame does no harm; what is taken for immutable has been refused before.
    """
    actual = _kind(value).removeprefix("builtins.")
    if actual == claimed or is_immutable(value):
        return True
    for name in purity._METHODS.get(actual, {}):
        own, taken = purity.of_method(actual, name), purity.of_method(claimed, name)
        if own is not None and own.receiver and taken is not None and not (taken.receiver or taken.opaque):
            return False
    return True


def _say(value: Any) -> str:
    if isinstance(value, (int, float, str, bool)) or value is None:
        return repr(value)
    return type(value).__name__


class _Late(BaseException):
    pass


def _quietly(function: Callable[..., Any], positional: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    def late(*_: object) -> None:
        raise _Late

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return function(*positional, **keywords)
    except _Late:
        raise TimeoutError from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def in_copy(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, JSON-able, done in a fork of this process in an empty directory; None if it died."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                null = os.open(os.devnull, os.O_RDWR)
                for stream in (0, 1, 2):
                    os.dup2(null, stream)
                with os.fdopen(writer, "w") as pipe:
                    json.dump(work(), pipe)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def combinations(pool: Callable[[], list[Any]], most: int = 3) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Fresh arguments: none, one, two ... of the pool."""
    size = len(pool())
    for count in range(most + 1):
        for indices in itertools.product(range(size), repeat=count):
            values = [pool() for _ in indices]
            yield tuple(values[place][index] for place, index in enumerate(indices)), {}


def with_flags(
    function: Any, arguments: Callable[[], Iterator[tuple[tuple[Any, ...], dict[str, Any]]]]
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The arguments, and each with the keywords that make functions change what they are given."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = ["copy"]
    flags: list[dict[str, Any]] = []
    for name in names:
        if name.startswith("overwrite"):
            flags.append({name: True})
        if name == "inplace":
            flags.append({name: True})
        if name.startswith("copy"):
            flags.append({name: False})
    plain = arguments()
    for positional, keywords in plain:
        yield positional, keywords
        for flag in flags:
            yield _copied(positional), flag


def _copied(values: tuple[Any, ...]) -> tuple[Any, ...]:
    import copy

    return tuple(value if callable(value) else copy.deepcopy(value) for value in values)


def place_of_out(function: Any) -> int | None:
    """Where ``out`` may be given by position."""
    if type(function).__name__ == "ufunc":
        return int(function.nin)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    for place, parameter in enumerate(parameters):
        if parameter.name == "out" and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return place
    return None
