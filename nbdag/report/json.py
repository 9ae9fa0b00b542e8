"""What ``--format json`` prints. ``docs/schema.md`` describes it; VERSION counts changes a reader would stumble over.

Keys may be added within a version. Infinite costs are null: JSON has no infinity.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from nbdag.model import Analysis, Compiled, Edge, Load, Plan, Replay

VERSION = 1


def analysis_as_json(analysis: Analysis, nbdag: str) -> str:
    """The text of an analysis; ``nbdag`` is the version that made it."""
    document = {
        **_head("nbdag-analysis", nbdag),
        "notebook": analysis.notebook,
        "session": analysis.session or None,
        "seconds": analysis.seconds,
        "cells": _plain(analysis.cells),
        "edges": [_edge(edge) for edge in analysis.edges],
        "variables": _plain(analysis.variables),
        "diagnostics": _plain(analysis.diagnostics),
    }
    return _text(document)


def compiled_as_json(compiled: Compiled, nbdag: str, *, lost: tuple[str, ...]) -> str:
    """The text of a compilation; ``lost`` are the names that do not arrive as they were."""
    document = {
        **_head("nbdag-compilation", nbdag),
        "session": compiled.session or None,
        "objective": compiled.objective,
        "bandwidth": compiled.bandwidth,
        "seconds": compiled.seconds,
        "lost": list(lost),
        "plan": _plan(compiled.plan),
        "bundle": _plain(compiled.bundle),
        "verdict": _plain(compiled.verdict),
        "variables": _plain(compiled.variables),
        "diagnostics": _plain(compiled.diagnostics),
    }
    return _text(document)


def sessions_as_json(rows: list[dict[str, Any]], nbdag: str) -> str:
    """The text of a list of sessions."""
    return _text({**_head("nbdag-sessions", nbdag), "sessions": rows})


def _head(name: str, nbdag: str) -> dict[str, Any]:
    return {"format": name, "version": VERSION, "nbdag": nbdag}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)


def _edge(edge: Edge) -> dict[str, Any]:
    return {"from": edge.source, "to": edge.target, "names": list(edge.names), "evidence": edge.evidence.value}


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "cost": _plain(plan.cost),
        "store_all_cost": _plain(plan.store_all_cost),
        "replay_all_cost": _plain(plan.replay_all_cost),
        "decisions": _plain(plan.decisions),
        "steps": [_step(step) for step in plan.steps],
        "dropped": list(plan.dropped),
    }


def _step(step: Load | Replay) -> dict[str, Any]:
    if isinstance(step, Load):
        return {"kind": "load", **_plain(step)}
    values = _plain(step)
    # The states themselves are in the bundle.
    values["random_state"] = [name for name, _ in step.random_state]
    return {"kind": "replay", **values}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bytes):
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate has no UTF-8
    return value
