"""``papermill --engine nbdag``: a run that is recorded, saved, and can go on where it stopped.

papermill hands options to an engine only from Python (``execute_notebook(..., engine_name="nbdag", save="DIR")``). On
its command line they are environment variables:

| option | variable | meaning |
|---|---|---|
| ``save`` | ``NBDAG_SAVE`` | the bundle to write; without one, OUTPUT.session, and only when a cell fails |
| ``save_every`` | ``NBDAG_SAVE_EVERY`` | cells between saves; 0: only when a cell fails |
| ``resume`` | ``NBDAG_RESUME`` | go on with what is saved there |
| ``verify`` | ``NBDAG_VERIFY`` | prove each save by restoring it (1) |
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.log import logger

from nbdag.batch.client import Remembering
from nbdag.batch.notebooks import fill_outputs, keep_outputs
from nbdag.batch.saving import Saving
from nbdag.errors import UsageError


class _Client(Remembering, PapermillNotebookClient):  # type: ignore[misc,unused-ignore]
    """papermill's client, recorded."""


class NbdagEngine(NBClientEngine):  # type: ignore[misc,unused-ignore]
    """papermill's own engine, recorded."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        log_output: bool = False,
        stdout_file: Any = None,
        stderr_file: Any = None,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **options: Any,
    ) -> Any:
        """Run the notebook of ``nb_man``; what nbdag has to say goes to papermill's log."""
        saving = _saving(options, nb_man.output_path)
        own = {"input_path", "save", "save_every", "resume", "verify", "timeout", "startup_timeout"}
        final = {
            **{name: value for name, value in options.items() if name not in own},
            "timeout": execution_timeout or options.get("timeout"),
            "startup_timeout": start_timeout,
            "kernel_name": kernel_name,
            "log": logger,
            "log_output": log_output,
            "stdout_file": stdout_file,
            "stderr_file": stderr_file,
        }
        make: Any = _Client
        client = make(nb_man, **final)
        client.keep(saving, None, lambda sentence: logger.info("nbdag: %s", sentence))
        fill_outputs(nb_man.nb, saving.directory, client.finished)
        try:
            return client.execute()
        finally:
            if saving.directory is not None and client.keeper.saved:
                keep_outputs(nb_man.nb, saving.directory)


def _saving(options: dict[str, Any], output: str | None) -> Saving:
    def of(name: str, otherwise: str) -> Any:
        given = options.get(name)
        return os.environ.get(f"NBDAG_{name.upper()}", otherwise) if given is None else given

    local = bool(output) and "://" not in str(output) and output != "-"
    directory = of("save", f"{os.path.splitext(str(output))[0]}.session" if local else "")
    every = str(of("save_every", "0"))
    if not every.isdecimal():
        raise UsageError(f"save_every {every!r}: not a number of cells")
    return Saving(
        Path(directory) if directory else None,
        int(every),
        _is_on(of("verify", "1")),
        _is_on(of("resume", "0")),
        at_end=every != "0" or bool(of("save", "")),
    )


def _is_on(value: object) -> bool:
    return str(value).strip().lower() not in {"", "0", "no", "off", "false", "none"}
