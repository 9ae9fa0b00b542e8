"""What is said about a session that saves itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from nbdag.report.paths import relative
from nbdag.report.units import say_bytes, say_count, say_seconds


def autosave_lines(status: Mapping[str, Any]) -> list[str]:
    """The status in a few lines."""
    place = relative(str(status["directory"]))
    lines = [f"saves itself into {place} when something ran, at most every {say_seconds(float(status['every']))}"]
    last = status.get("last") or {}
    if status.get("failed"):
        lines.append(f"the last save failed: {status['failed']}")
        if last.get("hint"):
            lines.append(f"  hint: {last['hint']}")
    if last.get("time") and not last.get("error"):
        lines.append(_last(last))
    behind = int(status.get("executions") or 0) - int(status.get("saved_executions") or 0)
    if status.get("saving"):
        lines.append("a save is being written")
    elif behind > 0 and not status.get("failed"):
        lines.append(f"{say_count(behind, 'execution')} since then; the next save is to come")
    if status.get("journal_fault"):
        lines.append(f"the journal cannot be written: {status['journal_fault']}")
    if status.get("without_snapshot"):
        lines.append(f"saved in pauses only: {status['without_snapshot']}")
    if status.get("pauses"):
        worst = max(status["pauses"])
        lines.append(f"taking a copy of the session stopped it for {say_seconds(worst)} at most")
    lines.append(f"after a crash: python {place}/restore.py, or %run -i {place}/restore.py")
    return lines


def _last(last: Mapping[str, Any]) -> str:
    when = time.strftime("%H:%M:%S", time.localtime(float(last["time"])))
    text = f"saved at {when}: {say_count(int(last.get('variables') or 0), 'variable')}"
    text += (
        f", {say_bytes(last.get('bytes') or 0)}, in {say_seconds(float(last.get('seconds') or 0.0))} in the background"
    )
    if last.get("lost"):
        text += f"; cannot be moved: {', '.join(last['lost'])}"
    return text
