"""How far a target is, how fast, and what it has installed: ``%nbdag remote test``."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from nbdag.portable.visit_machine import benchmark_seconds
from nbdag.remote.agent import VisitAgent
from nbdag.remote.model import Link
from nbdag.remote.targets import Connection

_SMALL, _LARGE = 64 << 10, 4 << 20  # bytes: the difference of the two is free of the cost of a request
_ROUND_TRIPS = 5
_OUR_OWN = {"nbdag", "IPython", "ipykernel", "traitlets"}  # known there, or of no use


@dataclass(frozen=True, slots=True)
class PackageDifference:
    """A package that this session has loaded; "" where it is not there, "?" where nobody knows its version."""

    name: str
    here: str
    there: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a test of a target found."""

    link: Link
    host: str
    python_here: str
    python_there: str
    cwd: str
    packages: tuple[PackageDifference, ...] = ()
    same_packages: int = 0


def loaded_distributions() -> dict[str, tuple[str, str]]:
    """Top-level modules of installed packages that this process has loaded: (distribution, version) by module."""
    from importlib.metadata import packages_distributions, version

    where = packages_distributions()
    found = {}
    for module in sorted({name.partition(".")[0] for name in sys.modules}):
        if module in where and not module.startswith("_"):
            distribution = where[module][0]
            found[module] = (distribution, version(distribution))
    return found


def modules_of(shell: Any) -> set[str]:
    """The modules of installed packages that variables of a session are, or are made of."""
    found = set()
    for value in list(shell.user_ns.values()):
        name = value.__name__ if type(value) is ModuleType else type(value).__module__
        if not isinstance(name, str):
            continue
        place = getattr(sys.modules.get(name), "__file__", None) or ""
        if "site-packages" in place and name.partition(".")[0] not in _OUR_OWN:
            found.add(name)
    return found


def measure_link(connection: Connection, agent: VisitAgent) -> Link:
    """Latency, bandwidth both ways, and speed against here. Takes a second or two."""
    trips = []
    for _ in range(_ROUND_TRIPS):
        begun = time.perf_counter()
        agent.command("place", {})
        trips.append(time.perf_counter() - begun)
    content = os.urandom(_LARGE)
    sent = [_timed(lambda size=size: connection.put("nbdag-speed-up.bin", content[:size])) for size in (_SMALL, _LARGE)]
    fetched = []
    for size in (_SMALL, _LARGE):
        name = agent.command("drop", {"size": size})["name"]
        connection.ready((name,))
        fetched.append(_timed(lambda name=name: connection.get(name)))
    agent.command("drop", {})
    connection.forget(("nbdag-speed-up.bin",))
    here, there = benchmark_seconds(), float(agent.command("speed", {})["seconds"])
    return Link(
        latency_seconds=sorted(trips)[len(trips) // 2],
        bytes_per_second=_speed(sent),
        speedup=here / max(there, 1e-9),
        bytes_per_second_back=_speed(fetched),
    )


def compare_packages(agent: VisitAgent) -> tuple[tuple[PackageDifference, ...], int, dict[str, Any]]:
    """Packages that are other or missing there, how many are the same, and what the process there says of itself."""
    here = loaded_distributions()
    asked = [f"{module}={distribution}" for module, (distribution, _) in here.items()]
    there = agent.command("about", {"modules": asked})
    versions: dict[str, str] = there["packages"]
    found, same, told = [], 0, set()
    for module, (distribution, version) in here.items():
        if distribution in told:
            continue
        told.add(distribution)
        if versions.get(module) == version:
            same += 1
        else:
            found.append(
                PackageDifference(distribution, version, "" if module not in versions else versions[module] or "?")
            )
    return tuple(sorted(found, key=lambda one: one.name.lower())), same, there


def _timed(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _speed(seconds: list[float]) -> float:
    """Bytes per second out of the times of a small and a large file."""
    return (_LARGE - _SMALL) / max(seconds[1] - seconds[0], seconds[1] / 4, 1e-6)
