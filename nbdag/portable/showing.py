"""``--list`` and ``--dry-run``: what the bundle holds and what would be done."""

from __future__ import annotations

from typing import Any, Dict, Sequence

from nbdag.portable.steps import Load
from nbdag.portable.telling import print_document, shortened, size_of_group, size_text


def show_plan(steps: Sequence[Any], data: Dict[str, Any], findings: Any, options: Any) -> None:
    """What the bundle holds (``--list``) or what would be done (``--dry-run``), on stdout."""
    if options.json:
        print_document(
            {
                "format": "nbdag-restoration-plan",
                "version": 1,
                "steps": [step_as_json(step, data, options.dry_run) for step in steps],
                "damage": findings.damage,
                "problems": findings.problems,
                "notes": findings.notes + findings.hints,
            }
        )
        return
    if options.list:
        width = max([len(name) for step in steps for name in step.names], default=0)
        for step in steps:
            for name in step.names:
                if isinstance(step, Load):
                    others = [other for other in step.names if other != name]
                    size = size_text(size_of_group(data["groups"][step.group]))
                    how = "loaded    %s%s" % (size, " with %s" % shortened(others) if others else "")
                else:
                    how = "replayed  %s, line %d" % (step.cell, step.line)
                print("%-*s  %s" % (min(width, 30), name, how))
        return
    for step in steps:
        names = ", ".join(step.names)
        if isinstance(step, Load):
            print("load    %s (%s)" % (names, size_text(size_of_group(data["groups"][step.group]))))
            continue
        took = ", %.3g s in the session" % step.seconds if step.seconds >= 0.1 else ""
        print("replay  %s, line %d%s%s" % (step.cell, step.line, took, ": " + names if names else ""))
        print("\n".join("        | " + line for line in step.code.split("\n")))
    for note in findings.notes + findings.hints:
        print("note    " + note)


def step_as_json(step: Any, data: Dict[str, Any], with_code: bool) -> Dict[str, Any]:
    """One step of the plan."""
    if isinstance(step, Load):
        return {"load": list(step.names), "bytes": size_of_group(data["groups"][step.group])}
    code = {"code": step.code} if with_code else {}
    return {"replay": list(step.names), "cell": step.cell, "line": step.line, **code}
