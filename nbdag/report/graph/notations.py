"""The graph of a scene in notations that other tools read: Graphviz's DOT, Mermaid, JSON."""

from __future__ import annotations

import json
from typing import Any

from nbdag.model.graph import Evidence
from nbdag.model.plan import Action
from nbdag.report.graph.scene import Chip, Row, Scene
from nbdag.report.units import say_bytes, say_seconds

VERSION = 1
_NAMES_AT_MOST = 6
_WORDS = {Action.STORE: "stored", Action.REPLAY: "replayed", Action.LOSE: "lost"}


def as_dot(scene: Scene) -> str:
    """A digraph for Graphviz; dashed edges were never observed. https://graphviz.org/doc/info/lang.html"""
    lines = [
        "digraph nbdag {",
        "  rankdir=TB;",
        '  node [shape=box, style=rounded, fontname="monospace", fontsize=11];',
    ]
    lines += ['  edge [fontname="monospace", fontsize=10, color="#6b7483"];']
    for row in scene.rows:
        lines.append(f"  c{row.index} [label={_dot(_label(row))}];")
    for source, target, names, evidence in _needs(scene):
        style = ", style=dashed" if evidence is Evidence.STATIC and scene.ran else ""
        lines.append(f"  c{source} -> c{target} [label={_dot(_some(names))}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


def as_mermaid(scene: Scene) -> str:
    """A flowchart for Mermaid, as Markdown pages show it. https://mermaid.js.org/syntax/flowchart.html"""
    lines = ["flowchart TD"]
    for row in scene.rows:
        lines.append(f'  c{row.index}["{_mermaid(_label(row))}"]')
    for source, target, names, evidence in _needs(scene):
        arrow = "-.->" if evidence is Evidence.STATIC and scene.ran else "-->"
        lines.append(f'  c{source} {arrow}|"{_mermaid(_some(names))}"| c{target}')
    return "\n".join(lines) + "\n"


def as_text(scene: Scene) -> str:
    """A line or two per cell, for a terminal and for who does not see the picture."""
    needs: dict[int, list[str]] = {}
    for source, target, names, _ in _needs(scene):
        needs.setdefault(target, []).append(f"{source + 1} ({_some(names)})")
    lines = [scene.title]
    for row in scene.rows:
        about = "" if row.seconds is None else f"  {say_seconds(row.seconds)}"
        lines.append(f"[{row.label}] {row.first_line}{about}")
        made = [_chip_text(chip) for chip in row.chips]
        if made:
            lines.append(f"      makes {', '.join(made)}")
        if row.index in needs:
            lines.append(f"      needs {'; '.join(needs[row.index])}")
    return "\n".join(lines) + "\n"


def _chip_text(chip: Chip) -> str:
    if not chip.current:
        return f"{chip.name} (no longer)"
    about = [say_bytes(chip.size)] if chip.size else []
    about += [_WORDS[chip.action]] if chip.action else []
    return f"{chip.name} ({', '.join(about)})" if about else chip.name


def as_json(scene: Scene, nbdag: str) -> str:
    """Nodes and edges for programs; docs/schema.md describes them."""
    document: dict[str, Any] = {
        "format": "nbdag-graph",
        "version": VERSION,
        "nbdag": nbdag,
        "notebook": scene.title,
        "nodes": [
            {
                "cell": row.index,
                "source": row.source,
                "seconds": row.seconds,
                "outcome": row.outcome.value if row.outcome else None,
                "mutates": list(row.changes),
                "effects": list(row.tags),
                "names": [
                    {
                        "name": chip.name,
                        "current": chip.current,
                        "type": chip.type,
                        "size": chip.size,
                        "action": chip.action.value if chip.action else None,
                        "reason": chip.reason,
                    }
                    for chip in row.chips
                ],
            }
            for row in scene.rows
        ],
        "edges": [
            {"from": source, "to": target, "names": list(names), "evidence": evidence.value}
            for source, target, names, evidence in _needs(scene)
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")


def _needs(scene: Scene) -> list[tuple[int, int, tuple[str, ...], Evidence]]:
    return [
        (lane.source, branch.target, branch.names, branch.evidence) for lane in scene.lanes for branch in lane.branches
    ]


def _label(row: Row) -> str:
    first = row.first_line if len(row.first_line) <= 48 else row.first_line[:47] + "\N{HORIZONTAL ELLIPSIS}"
    return f"[{row.label}] {first}"


def _some(names: tuple[str, ...]) -> str:
    rest = len(names) - _NAMES_AT_MOST
    return ", ".join(names[:_NAMES_AT_MOST]) + (f" +{rest}" if rest > 0 else "")


def _dot(text: str) -> str:
    return '"' + _printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _mermaid(text: str) -> str:
    # Mermaid reads HTML entities, written with # for &; a backtick or a bracket would start markup.
    return "".join(
        letter if letter.isalnum() or letter in " _.,+-=:/" else f"#{ord(letter)};" for letter in _printable(text)
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
