"""What a notebook file knows about runs from before the recorder came: when, how long, and how they ended.

Attached late, the recorder finds the kernel's own history: the texts, numbered (``In``). The file has more: Jupyter
notes the times of each cell's last run if it is told to (``record_timing``), papermill and the ExecuteTime extension
always do. A run is that of a cell if number and text agree; after a restart of the kernel numbers begin anew, so
either alone proves nothing.

| in the cell's metadata | from | to |
|---|---|---|
| ``execution`` (JupyterLab, Notebook 7) | ``iopub.execute_input`` | ``shell.execute_reply`` |
| ``papermill`` | ``start_time`` | ``end_time`` |
| ``ExecuteTime`` | ``start_time`` | ``end_time`` |
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from nbdag.model.trace import Execution, Outcome, Trace

CLOCKS = (
    ("execution", "iopub.execute_input", "shell.execute_reply"),
    ("papermill", "start_time", "end_time"),
    ("ExecuteTime", "start_time", "end_time"),
)
LONGEST = 30 * 24 * 3600.0
"""Seconds; a longer run is a clock that was set, not a cell."""


@dataclass(frozen=True, slots=True)
class CellRun:
    """The last run of a cell as its file tells it. ``started`` is seconds since 1970; 0.0 where nothing is said."""

    cell_id: str
    source: str
    count: int
    started: float = 0.0
    seconds: float = 0.0
    error: str = ""


def runs_in_file(path: Path) -> tuple[CellRun, ...]:
    """The runs that the notebook at ``path`` tells of; none if it cannot be read: it only adds to what is known."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return ()
    cells = document.get("cells") if isinstance(document, dict) else None
    found = [_run_of(cell) for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []
    return tuple(run for run in found if run is not None)


def with_runs(trace: Trace, runs: Sequence[CellRun]) -> Trace:
    """``trace`` with what ``runs`` tell about its executions of unknown cost; all others stay as they were recorded."""
    by_key = {(run.count, run.source.strip()): run for run in runs}
    executions = tuple(
        _completed(execution, by_key.get((execution.count, execution.source.strip())))
        if not execution.known and execution.count is not None
        else execution
        for execution in trace.executions
    )
    return trace if executions == trace.executions else replace(trace, executions=executions)


def _completed(execution: Execution, run: CellRun | None) -> Execution:
    if run is None:
        return execution
    outcome, error = execution.outcome, execution.error
    if run.error and outcome is Outcome.OK:
        outcome = Outcome.INTERRUPTED if run.error.startswith("KeyboardInterrupt") else Outcome.ERROR
        error = run.error
    return replace(
        execution,
        cell_id=execution.cell_id or run.cell_id,
        started=execution.started or run.started,
        seconds=execution.seconds or run.seconds,
        outcome=outcome,
        error=error,
    )


def _run_of(cell: Mapping[str, Any]) -> CellRun | None:
    count, source, given = cell.get("execution_count"), cell.get("source"), cell.get("id")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if cell.get("cell_type") != "code" or type(count) is not int or not isinstance(source, str):
        return None
    started, seconds = _times(cell.get("metadata"))
    cell_id = given if isinstance(given, str) else ""
    return CellRun(cell_id, source, count, started, seconds, _error(cell.get("outputs")))


def _times(metadata: object) -> tuple[float, float]:
    """When a run began and how many seconds it took, as far as the cell's metadata say; 0.0 for what they do not."""
    for key, first, last in CLOCKS:
        noted = metadata.get(key) if isinstance(metadata, dict) else None
        begin, end = (_instant(noted.get(name)) if isinstance(noted, dict) else None for name in (first, last))
        if begin is not None:
            seconds = 0.0 if end is None else end - begin
            return begin, seconds if 0.0 < seconds < LONGEST else 0.0
    return 0.0, 0.0


def _instant(text: object) -> float | None:
    """Seconds since 1970 of an ISO date; one without a zone is in UTC, as Jupyter writes it."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError):
        return None


def _error(outputs: object) -> str:
    """``"ValueError: message"`` if the run ended with a traceback, else ""."""
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict) and output.get("output_type") == "error":
            return f"{output.get('ename', 'error')}: {output.get('evalue', '')}"[:1000]
    return ""
