"""What ``--format json`` prints. ``docs/schema.md`` describes it; VERSION counts changes a reader would stumble over.

Keys may be added within a version. Infinite costs are null: JSON has no infinity.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from nbdag.model.graph import Edge
from nbdag.model.plan import Action, Explanation, Load, Obstacle, Plan, Replay
from nbdag.model.results import Analysis, Compiled, Failed, Planned
from nbdag.report.explained import words_of

VERSION = 1


def analysis_as_json(analysis: Analysis, nbdag: str) -> str:
    """The text of an analysis; ``nbdag`` is the version that made it."""
    return _text({**_head("nbdag-analysis", nbdag), **_analysis(analysis)})


def analyses_as_json(results: Sequence[Analysis | Failed], nbdag: str) -> str:
    """The text of several analyses, in their order: for each notebook what ``analysis_as_json`` says, or its error."""
    notebooks = [
        {"notebook": one.notebook, "analysis": _analysis(one), "error": None}
        if isinstance(one, Analysis)
        else {"notebook": one.notebook, "analysis": None, "error": _error(one)}
        for one in results
    ]
    return _text({**_head("nbdag-analyses", nbdag), "notebooks": notebooks})


def _error(failed: Failed) -> dict[str, Any]:
    return {key: _plain(getattr(failed, key)) for key in ("code", "message", "hint", "exit_status")}


def _analysis(analysis: Analysis) -> dict[str, Any]:
    return {
        "notebook": analysis.notebook,
        "session": analysis.session or None,
        "seconds": analysis.seconds,
        "cells": _plain(analysis.cells),
        "edges": [_edge(edge) for edge in analysis.edges],
        "variables": _plain(analysis.variables),
        "diagnostics": _plain(analysis.diagnostics),
    }


def compiled_as_json(compiled: Compiled, nbdag: str, *, lost: tuple[str, ...]) -> str:
    """The text of a compilation; ``lost`` are the names that do not arrive as they were."""
    document = {
        **_head("nbdag-compilation", nbdag),
        "session": compiled.session or None,
        **_wanted(compiled),
        "lost": list(lost),
        "plan": _plan(compiled.plan),
        "alternatives": _plain(compiled.alternatives),
        "bundle": _plain(compiled.bundle),
        "verdict": _plain(compiled.verdict),
        "variables": _plain(compiled.variables),
        "diagnostics": _plain(compiled.diagnostics),
    }
    return _text(document)


def planned_as_json(planned: Planned, nbdag: str) -> str:
    """The text of a plan that nobody compiled."""
    document = {
        **_head("nbdag-plan", nbdag),
        "session": planned.session or None,
        "notebook": planned.notebook,
        **_wanted(planned),
        "lost": [name for d in planned.plan.decisions if d.action is Action.LOSE for name in d.names],
        "plan": _plan(planned.plan),
        "alternatives": _plain(planned.alternatives),
        "explanations": [_explanation(explanation, planned) for explanation in planned.explanations],
        "variables": _plain(planned.variables),
        "diagnostics": _plain(planned.diagnostics),
    }
    return _text(document)


def _wanted(result: Compiled | Planned) -> dict[str, Any]:
    return {
        "objective": result.objective,
        "bandwidth": result.bandwidth,
        "bandwidth_source": result.bandwidth_source,
        "max_bytes": result.max_bytes,
        "withheld": list(result.withheld),
        "seconds": result.seconds,
    }


def sessions_as_json(rows: list[dict[str, Any]], nbdag: str) -> str:
    """The text of a list of sessions."""
    return _text({**_head("nbdag-sessions", nbdag), "sessions": rows})


def kernels_as_json(rows: list[dict[str, Any]], nbdag: str) -> str:
    """The text of a list of kernels."""
    return _text({**_head("nbdag-kernels", nbdag), "kernels": rows})


def attached_as_json(row: dict[str, Any], nbdag: str) -> str:
    """The text of what ``nbdag attach`` did."""
    return _text({**_head("nbdag-attached", nbdag), **row})


def checkup_as_json(found: Mapping[str, Sequence[Any]], nbdag: str) -> str:
    """The text of what was looked at, by area."""
    rows = [{"area": area, **_plain(check)} for area, checks in found.items() for check in checks]
    return _text({**_head("nbdag-checkup", nbdag), "checks": rows})


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


def _explanation(explanation: Explanation, planned: Planned) -> dict[str, Any]:
    decision = explanation.decision
    return {
        "name": explanation.name,
        "action": decision.action.value,
        "linked": list(explanation.linked),
        "link": explanation.link,
        "store_cost": _plain(decision.store_cost),
        "replay_cost": _plain(decision.replay_cost),
        "replay_seconds": explanation.replay_seconds,
        "statements": [
            {key: _plain(getattr(statement, key)) for key in ("position", "cell", "line", "code", "seconds")}
            for statement in explanation.statements
        ],
        "given": explanation.given,
        "definitions": explanation.definitions,
        "shared": list(explanation.shared),
        "against_storing": [_obstacle(obstacle) for obstacle in explanation.against_storing],
        "against_replaying": [_obstacle(obstacle) for obstacle in explanation.against_replaying],
        "wish": explanation.wish,
        "unmet": explanation.unmet,
        "plan_cost": _plain(explanation.plan_cost),
        "other_way": _plain(explanation.other_way),
        "turning_point": explanation.turning_point or None,
        "words": _plain(words_of(explanation, planned).sentences),
    }


def _obstacle(obstacle: Obstacle) -> dict[str, Any]:
    return {
        "reason": _plain(obstacle.reason),
        "at": obstacle.at,
        "grade": obstacle.grade.name.lower().replace("_", "-"),
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
