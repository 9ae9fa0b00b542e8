"""The drawing as one HTML page that needs no network: slices on click, search, keyboard, print.

The page is the SVG, a panel that shows the chosen cell, and ``page.js``, which knows the graph from a JSON island. What
comes from the notebook is text everywhere: escaped in markup, set by ``textContent`` in the script.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from typing import Any

from nbdag.report.graph.drawing import draw, picture_style
from nbdag.report.graph.scene import Scene
from nbdag.report.units import say_bytes, say_count, say_seconds


def as_html(scene: Scene, nbdag: str) -> str:
    """The whole page; ``nbdag`` is the version that made it."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(_plain(scene.title))} - nbdag</title>"
        f"<style>{picture_style()}{_resource('page.css')}</style></head><body>"
        f"<header><h1>{escape(_plain(scene.title))}</h1><p>{escape(_summary(scene))}</p>"
        '<div class="tools"><input id="search" type="search" placeholder="search names and code ( / )" '
        'aria-label="search names and code"><span id="found" role="status"></span>'
        "</div></header>"
        f'<main><div class="picture">{draw(scene, standalone=False)}</div>'
        '<aside id="panel" aria-live="polite"></aside></main>'
        f"<footer>nbdag {escape(nbdag)}</footer>"
        f'<script type="application/json" id="graph">{_island(scene)}</script>'
        f"<script>{_resource('page.js')}</script></body></html>\n"
    )


def _resource(name: str) -> str:
    return files("nbdag.report.graph").joinpath(name).read_text(encoding="utf-8")


def _summary(scene: Scene) -> str:
    parts = [say_count(len(scene.rows), "code cell")]
    if scene.ran:
        current = [chip for row in scene.rows for chip in row.chips if chip.current]
        parts.append(f"{say_seconds(sum(row.seconds or 0.0 for row in scene.rows))} of running")
        parts.append(f"{say_count(len(current), 'name')} holding {say_bytes(sum(row.size for row in scene.rows))}")
    else:
        parts.append("read, not run")
    return ", ".join(parts)


def _island(scene: Scene) -> str:
    document = {
        "ran": scene.ran,
        "cells": [
            {
                "label": row.label,
                "source": _plain(row.source or row.first_line),
                "error": _plain(row.error),
                "time": "" if row.seconds is None else say_seconds(row.seconds),
                "tags": _all_plain(row.tags),
                "changes": _all_plain(row.changes),
                "names": [
                    {
                        "name": _plain(chip.name),
                        "current": chip.current,
                        "type": _plain(chip.type),
                        "size": say_bytes(chip.size) if chip.current and chip.size else "",
                        "action": chip.action.value if chip.action else "",
                        "reason": _plain(chip.reason),
                    }
                    for chip in row.chips
                ],
            }
            for row in scene.rows
        ],
        "needs": [
            {"from": lane.source, "to": branch.target, "names": _all_plain(branch.names)}
            for lane in scene.lanes
            for branch in lane.branches
        ],
    }
    return _harmless(document)


def _harmless(document: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _all_plain(texts: Sequence[str]) -> list[str]:
    return [_plain(text) for text in texts]


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate has no UTF-8
