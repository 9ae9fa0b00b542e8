"""The purity tables against the libraries as they are installed: every call that a table vouches for is made.

A claim that is false makes a wrong restore, so each is tried with many arguments; what is compared before and after is
the canonical digest. ``purity_run.py`` does that for whole libraries, each function in a process of its own.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import importlib.util
import inspect
import io
import itertools
import random
import signal
import time
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nbdag.analysis import purity
from nbdag.analysis.defuse.values import IMMUTABLE
from nbdag.analysis.purity import Signature
from nbdag.portable.digest import digest


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
    """Public functions of the modules that the tables cover by a pattern, and of the modules below those."""
    modules = {name.rpartition(".")[0] for name in purity._FUNCTIONS if name.startswith(library + ".") and "*" in name}
    named = frozenset(named_functions(library))
    found: dict[int, str] = {}
    for module in sorted(modules):
        with contextlib.suppress(AttributeError):
            _below(module, resolve(module), 2, found)
    return sorted(path for path in found.values() if path not in named)


def _below(path: str, place: Any, depth: int, found: dict[int, str], top: bool = True) -> None:
    """The shortest name of each callable in ``place``; of modules below it, only what they call public."""
    public = getattr(place, "__all__", None)
    for name in sorted({*dir(place), *(public or ())} if top else public or ()):
        if name.startswith("_") or name in ("tests", "test", "testing", "externals", "conftest"):
            continue
        own = f"{path}.{name}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                value = getattr(place, name) if hasattr(place, name) else resolve(own)
        except Exception:
            continue
        if isinstance(value, types.ModuleType):
            if depth and value.__name__ == own and isinstance(place, types.ModuleType):
                _below(own, value, depth - 1, found, False)
        elif callable(value):
            known = found.get(id(value))
            if known is None or (own.count("."), own) < (known.count("."), known):
                found[id(value)] = own


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
    if type(value).__name__ == "Normalize":
        return repr((value.vmin, value.vmax))  # its callbacks count how often they were pickled
    if type(value).__name__ in ("DataFrameGroupBy", "SeriesGroupBy", "Rolling"):
        value = value.obj  # it keeps what it has computed of groups and windows; the frame must stay
    found = digest(value, {})
    if not found.startswith("?"):
        return found
    return repr(value)


# ------------------------------------------------------------------------------------------------ calls


@dataclass(frozen=True)
class Limits:
    """What may be spent on one function: CPU for all its calls, calls that are enough, seconds for one call."""

    seconds: float = 0.5
    successes: int = 24
    one_call: float = 1.0


def try_calls(
    name: str,
    receiver: Callable[[], Any] | None,
    function: Callable[[Any], Callable[..., Any]],
    signature: Signature,
    arguments: Callable[[Any], Arguments],
    limits: Limits = Limits(),
) -> Iterator[Wrong | None]:
    """Calls ``function(receiver)`` with many arguments; None for each call that came back, and once what is wrong."""
    told: set[str] = set()
    done = 0
    if receiver is not None:
        try:
            function(receiver())
        except Exception as error:
            yield Wrong(name, f"no receiver: {type(error).__name__}: {error}")
            return
    source = arguments(function(None if receiver is None else receiver()))
    end = time.process_time() + limits.seconds
    for positional, keywords in source:
        if time.process_time() > end or done >= limits.successes:
            return
        whole = None if receiver is None else receiver()
        given = [*positional, *keywords.values()]
        before = [state(one) for one in (whole, *given)]
        held = [whole is not None and not shared(whole, one) for one in given]
        try:
            result = _quietly(function(whole), positional, keywords, limits.one_call)
        except (Exception, SystemExit):
            continue
        done += 1
        source.worked(positional)
        yield None
        call = f"({', '.join([_say(one) for one in positional] + [f'{k}={_say(v)}' for k, v in keywords.items()])})"
        for problem in _judge(signature, whole, given, list(keywords), before, held, result):
            if problem not in told:
                told.add(problem)
                yield Wrong(name, problem, call)


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
    inplace = signature.inplace and ("inplace" in keywords or "in_place" in keywords)
    after = [state(one) for one in (receiver, *given)]
    if receiver is not None and before[0] != after[0] and not (signature.receiver or signature.perhaps or inplace):
        yield "changes its receiver"
    count = len(given) - len(keywords)
    over = signature.overwrites is not None and count > signature.overwrites
    for number, one in enumerate(given):
        keyword = keywords[number - count] if number >= count else ""
        places = (*signature.positions, *signature.doubtful)
        allowed = keyword in signature.keywords if keyword else number in places
        exhausted = hasattr(one, "__next__")
        if before[number + 1] != after[number + 1] and not allowed and not exhausted and keyword != "out":
            if over or any(name.startswith("overwrite") for name in keywords):
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
    # Any call with copy= or overwrite_x= is taken to give a view.
    copies = over or any(name == "copy" or name.startswith("overwrite") for name in keywords)
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


def _quietly(
    function: Callable[..., Any], positional: tuple[Any, ...], keywords: dict[str, Any], seconds: float
) -> Any:
    def late(*_: object) -> None:
        raise _Late

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return function(*positional, **keywords)
    except _Late:
        raise TimeoutError from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


# ------------------------------------------------------------------------------------------------ arguments


class Arguments:
    """Fresh arguments for one function: by its own signature, and more of what has worked before.

    ``special`` comes first. Every value is used alone and in pairs; longer ones are drawn, the same ones in every run.
    """

    def __init__(self, name: str, function: Any, pool: Sequence[Any], special: Sequence[tuple[Any, ...]] = ()) -> None:
        self.pool = list(pool)
        self.special = special
        self.random = random.Random(name)
        self.good: dict[int, list[int]] = {}  # place -> what stood there when a call came back
        self.least, self.most, self.flags = _shape(function)
        self.last: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
        for values in self.special:
            self.last = ()
            yield from self._with_flags(lambda values=values: _copied(values))  # type: ignore[misc]
        for indices in self._indices():
            self.last = indices
            yield from self._with_flags(lambda indices=indices: _copied([self.pool[one] for one in indices]))  # type: ignore[misc]

    def worked(self, positional: tuple[Any, ...]) -> None:
        """The arguments that were given last made a call that came back."""
        for place, index in enumerate(self.last):
            self.good.setdefault(place, []).append(index)

    def _with_flags(self, make: Callable[[], tuple[Any, ...]]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
        yield make(), {}
        for flag in self.flags:
            yield make(), flag

    def _indices(self) -> Iterator[tuple[int, ...]]:
        size = len(self.pool)
        counts = [count for count in range(self.least, self.most + 1) if count <= self.least + 2]
        if 0 in counts:
            yield ()
        exhaustive = []
        for count in [count for count in counts if 0 < count <= 2]:
            some = list(itertools.product(range(size), repeat=count))
            self.random.shuffle(some)
            exhaustive.append(iter(some))
        long = [count for count in counts if count > 2]
        while exhaustive or long:
            for some_left in list(exhaustive):
                found = next(some_left, None)
                if found is None:
                    exhaustive.remove(some_left)
                else:
                    yield found
            for count in long:
                yield tuple(self._draw(place) for place in range(count))

    def _draw(self, place: int) -> int:
        good = self.good.get(place)
        if good and self.random.random() < 0.6:
            return self.random.choice(good)
        return self.random.randrange(len(self.pool))


def _shape(function: Any) -> tuple[int, int, list[dict[str, Any]]]:
    """How few and how many positional arguments, and the keywords that make functions change what they are given."""
    if type(function).__name__ == "ufunc":
        return int(function.nin), int(function.nin + function.nout), []
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return 0, 3, []
    places = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    least = sum(one.default is one.empty for one in places)
    most = 6 if any(one.kind is one.VAR_POSITIONAL for one in parameters) else len(places)
    flags: list[dict[str, Any]] = []
    for one in parameters:
        if one.name.startswith("overwrite") or one.name in ("inplace", "in_place"):
            flags.append({one.name: True})
        if one.name.startswith("copy"):
            flags.append({one.name: False})
    return min(least, 6), min(most, 6), flags


def fresh(value: Any) -> Any:
    """A copy of ``value`` that shares nothing; functions are their own copies."""
    return value if callable(value) and not hasattr(value, "fit") else copy.deepcopy(value)


def _copied(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(fresh(value) for value in values)


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
