"""The purity tables are true of the libraries that are installed here. ``purity_check`` is how that is found out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nbdag.analysis import purity
from tests.analysis import purity_samples as samples
from tests.analysis.purity_check import (
    Wrong,
    combinations,
    has,
    in_copy,
    named_functions,
    pattern_functions,
    place_of_out,
    resolve,
    try_calls,
    with_flags,
)

# What running every function and method takes: half a minute per library. The names are checked in any case.
LIBRARIES = [
    pytest.param(name, marks=[pytest.mark.slow, pytest.mark.skipif(not has(name), reason=f"{name} is not installed")])
    for name in samples.POOLS
]
INSTALLED = [name for name in ("builtins", *samples.POOLS) if has(name)]


@pytest.mark.parametrize("library", INSTALLED)
def test_every_name_of_the_tables_exists_or_is_known_to_be_of_other_versions(library: str) -> None:
    missing = []
    for name in named_functions(library):
        try:
            resolve(name)
        except AttributeError:
            missing.append(name)
    assert [name for name in missing if name not in purity.OTHER_VERSIONS] == []


@pytest.mark.parametrize("library", INSTALLED)
def test_every_method_of_the_tables_exists_or_is_known_to_be_of_other_versions(library: str) -> None:
    missing = []
    for kind, receiver in samples.RECEIVERS.items():
        if kind.partition(".")[0] == library or (library == "builtins" and "." not in kind):
            own = [name for name in purity._METHODS.get(kind, {}) if name != "*"]
            made = receiver()
            alternatives = made if isinstance(made, samples.Either) else (made,)
            names = [name for name in own if not any(hasattr(one, name) for one in alternatives)]
            missing += [f"{kind}.{name}" for name in names if f"{kind}.{name}" not in purity.OTHER_VERSIONS]
    assert missing == []


@pytest.mark.parametrize("library", INSTALLED)
def test_an_out_that_is_given_by_position_is_in_the_table(library: str) -> None:
    wrong = []
    for name in named_functions(library):
        try:
            place = place_of_out(resolve(name))
        except AttributeError:
            continue
        signature = purity.of_function(name)
        if place and signature is not None and place not in (*signature.positions, *signature.doubtful):
            wrong.append(f"{name}: arg{place}")
    assert wrong == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_functions_do_what_the_tables_say(library: str) -> None:
    assert [str(wrong) for wrong in wrong_functions(library)] == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_methods_do_what_the_tables_say(library: str) -> None:
    assert [str(wrong) for wrong in wrong_methods(library)] == []


def wrong_functions(library: str, tried: list[str] | None = None) -> list[Wrong]:
    found: list[Wrong] = []
    for name in [*named_functions(library), *pattern_functions(library)]:
        signature = purity.of_function(name)
        if signature is None or name in samples.UNTRIED or name.startswith(samples.UNTRIED_ROOTS):
            continue
        try:
            function = resolve(name)
        except AttributeError:
            continue
        if callable(function):
            found += _in_copy(name, lambda f=function: (None, f), signature, samples.POOLS[library], tried)  # type: ignore[misc]
    return found


def wrong_methods(library: str, tried: list[str] | None = None) -> list[Wrong]:
    found: list[Wrong] = []
    for kind, receiver in samples.RECEIVERS.items():
        if kind.partition(".")[0] != library:
            continue
        made = receiver()
        for number, one in enumerate(made if isinstance(made, samples.Either) else (made,)):

            def take(receiver: Callable[[], Any] = receiver, number: int = number) -> Any:
                again = receiver()
                return again[number] if isinstance(again, samples.Either) else again

            for name in sorted(n for n in dir(one) if not n.startswith("_")):
                signature = purity.of_method(kind, name)
                full = f"{kind}.{name}"
                if signature is None or full in samples.UNTRIED or name in samples.UNTRIED:
                    continue
                try:
                    if not callable(getattr(one, name)):
                        continue
                except Exception:
                    continue

                def make(name: str = name, take: Callable[[], Any] = take) -> tuple[Any, Any]:
                    whole = take()
                    return whole, getattr(whole, name)

                found += _in_copy(full, make, signature, samples.POOLS[library], tried)
    return found


def _in_copy(name: str, make: Any, signature: Any, pool: Any, tried: list[str] | None) -> list[Wrong]:
    def work() -> Any:
        def arguments() -> Iterator[Any]:
            yield from samples.SPECIAL.get(name, list)()
            yield from with_flags(make()[1], lambda: combinations(pool))

        done, wrong = try_calls(name, make, signature, arguments)
        return done, [(one.name, one.what, one.call) for one in wrong]

    answer = in_copy(work)
    done, wrong = answer if answer is not None else (0, [])
    if tried is not None:
        tried.append(f"{done} {name}")
        for one in wrong:
            print(Wrong(*one), flush=True)
    return [Wrong(*one) for one in wrong if (one[0], one[1]) not in samples.HARMLESS]


if __name__ == "__main__":
    for library in sys.argv[1:]:
        told: list[str] = []
        wrong_functions(library, told)
        wrong_methods(library, told)
        never = [line.split()[1] for line in told if line.startswith("0 ")]
        print(f"{library}: {len(told)} tried, {len(never)} of them never came back: {' '.join(never)}")
