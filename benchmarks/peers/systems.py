"""What is compared: how each system records, saves and restores a session, as its own documentation says.

All save the session of one kernel and restore it in another one, which is new. The clock of restoring begins when that
kernel is ready, for every system; importing the libraries is part of restoring.

| system | save | restore |
|---|---|---|
| nbdag | `%nbdag compile DIR`, proof in a fresh process included | `%run -i DIR/restore.py` |
| nbdag unproven | the same with `--no-verify` | the same |
| elastic-kernel | its control message, as its server extension sends it | its control message |
| kishu | commits after every cell: the time it adds to the cells | `init_kishu`, `checkout` of the last commit |
| dill | `dill.dump_session` | `dill.load_session` |
| cloudpickle | `cloudpickle.dump` of all the names | `pickle.load`, names put back |
| %store | `%store NAME` for every name | `%store -r` |
| re-running | nothing | all cells, by `nbclient` |

Kishu's test mode is on: it leaves out waiting for a browser to save the notebook, which is not there.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path

from nbclient.client import NotebookClient
from nbclient.exceptions import CellTimeoutError
from nbformat.v4 import new_code_cell, new_notebook

from benchmarks.peers.kernels import CELL_SECONDS, Failed, Kernel, bytes_below

NAMED_LOSS = re.compile(r"\b(lost|different|detached|missing)\b")
"""A line of the report of `%nbdag compile` that says something will not come back as it was."""

NAMES = (
    "sorted(n for n in get_ipython().user_ns if not n.startswith('_') and n not in get_ipython().user_ns_hidden "
    "and n not in ('In', 'Out', 'nbdag_bench_describe'))"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one measurement happens: the notebook's directory, a home, and room for what is saved."""

    directory: Path
    home: Path
    room: Path
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving took. ``told_loss``: the system itself said that something would not come back."""

    seconds: float
    bytes: int
    told_loss: str = ""


class System:
    """A way to get a session into another kernel; subclasses say how."""

    name = ""
    package = ""  # what the environment of its kernels has beside the libraries
    module = "ipykernel_launcher"
    saves_while_running = False

    def variables(self, place: Place) -> dict[str, str]:
        """Environment variables of its kernels."""
        return {}

    def begin(self, kernel: Kernel, place: Place) -> None:
        """Before the first cell."""

    def save(self, kernel: Kernel, place: Place) -> Saved:
        raise NotImplementedError

    def restore(self, kernel: Kernel, place: Place) -> float:
        """Seconds from a kernel that is ready to variables that are there. Raises Failed."""
        raise NotImplementedError


class Nbdag(System):
    name = "nbdag"
    package = "nbdag"
    options = ""

    def begin(self, kernel: Kernel, place: Place) -> None:
        kernel.must("%load_ext nbdag")

    def save(self, kernel: Kernel, place: Place) -> Saved:
        out = place.room / "bundle"
        reply = kernel.must(f"%nbdag compile {out} --with-credentials {self.options}")
        told = [line.strip() for line in reply.text.splitlines() if NAMED_LOSS.search(line)]
        return Saved(reply.seconds, bytes_below(out), "; ".join(told)[:300])

    def restore(self, kernel: Kernel, place: Place) -> float:
        reply = kernel.run(f"%run -i {place.room / 'bundle' / 'restore.py'}")
        # Status 1 is "restored with losses, named": IPython shows it as SystemExit.
        if reply.error and not reply.error.startswith("SystemExit: 1"):
            raise Failed(reply.error)
        return reply.seconds


class NbdagUnproven(Nbdag):
    name = "nbdag unproven"
    options = "--no-verify"


class ElasticKernel(System):
    name = "elastic-kernel"
    package = "elastic-kernel"
    module = "elastic_kernel.kernel"

    def variables(self, place: Place) -> dict[str, str]:
        notebook = place.directory / "session.ipynb"
        if not notebook.exists():
            notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', encoding="utf-8")
        return {"JPY_SESSION_NAME": str(notebook), "ELASTIC_KERNEL_RESTORE_ON_STARTUP": "0"}

    def save(self, kernel: Kernel, place: Place) -> Saved:
        begun = time.perf_counter()
        reply = kernel.control("elastic_checkpoint_request")
        if not reply.get("ok"):
            raise Failed(str(reply.get("error") or reply.get("reason")))
        return Saved(time.perf_counter() - begun, bytes_below(Path(reply["path"])))

    def restore(self, kernel: Kernel, place: Place) -> float:
        begun = time.perf_counter()
        reply = kernel.control("elastic_restore_request")
        if not reply.get("ok"):
            raise Failed(str(reply.get("error") or reply.get("reason")))
        return time.perf_counter() - begun


class Kishu(System):
    name = "kishu"
    package = "kishu"
    saves_while_running = True

    def variables(self, place: Place) -> dict[str, str]:
        return {"ENV_KISHU_TEST_MODE": "1", "KISHU_PATH_ROOT": str(place.room)}

    def _init(self, kernel: Kernel, place: Place) -> None:
        notebook = place.room / "session.ipynb"
        if not notebook.exists():
            notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', encoding="utf-8")
        kernel.must(f"from kishu import init_kishu\ninit_kishu({str(notebook)!r})\ndel init_kishu")

    def begin(self, kernel: Kernel, place: Place) -> None:
        self._init(kernel, place)

    def save(self, kernel: Kernel, place: Place) -> Saved:
        commit = kernel.value("str(get_ipython().user_ns['_kishu']._kishu_branch.get_head().commit_id)")
        (place.room / "commit").write_text(commit, encoding="ascii")
        return Saved(0.0, bytes_below(place.room))

    def restore(self, kernel: Kernel, place: Place) -> float:
        begun = time.perf_counter()
        self._init(kernel, place)
        commit = (place.room / "commit").read_text(encoding="ascii")
        kernel.must(f"_kishu.checkout({commit!r}, skip_notebook=True)")
        return time.perf_counter() - begun


class Dill(System):
    name = "dill"
    package = "dill"

    def save(self, kernel: Kernel, place: Place) -> Saved:
        file = place.room / "session.dill"
        seconds = kernel.must(f"import dill; dill.dump_session({str(file)!r})").seconds
        return Saved(seconds, bytes_below(file))

    def restore(self, kernel: Kernel, place: Place) -> float:
        return kernel.must(f"import dill; dill.load_session({str(place.room / 'session.dill')!r})").seconds


class Cloudpickle(System):
    name = "cloudpickle"
    package = "cloudpickle"

    def save(self, kernel: Kernel, place: Place) -> Saved:
        file = place.room / "session.pickle"
        seconds = kernel.must(
            f"import cloudpickle as _cp\nwith open({str(file)!r}, 'wb') as _file: "
            f"_cp.dump({{_n: get_ipython().user_ns[_n] for _n in {NAMES}}}, _file, protocol=5)"
        ).seconds
        return Saved(seconds, bytes_below(file))

    def restore(self, kernel: Kernel, place: Place) -> float:
        file = place.room / "session.pickle"
        return kernel.must(
            f"import pickle as _p\nwith open({str(file)!r}, 'rb') as _file: "
            "get_ipython().user_ns.update(_p.load(_file))"
        ).seconds


class Store(System):
    name = "%store"

    def save(self, kernel: Kernel, place: Place) -> Saved:
        names = json.loads(kernel.value(f"__import__('json').dumps({NAMES})"))
        keep = "try: get_ipython().run_line_magic('store', {!r})\nexcept Exception: print('not kept')"
        code = "\n".join(keep.format(name) for name in names)
        reply = kernel.must(code)
        told = sum(word in reply.text for word in ("not kept", "Warning:", "Proper storage of interactively declared"))
        return Saved(reply.seconds, bytes_below(place.home / "ipython" / "profile_default" / "db"), "told" * bool(told))

    def restore(self, kernel: Kernel, place: Place) -> float:
        return kernel.must("%store -r").seconds


class Rerun(System):
    name = "re-running"

    def save(self, kernel: Kernel, place: Place) -> Saved:
        return Saved(0.0, sum(len(cell.encode()) for cell in place.cells))

    def restore(self, kernel: Kernel, place: Place) -> float:
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in place.cells])
        client = NotebookClient(notebook, km=kernel.manager, timeout=int(kernel.left()), allow_errors=True)
        begun = time.perf_counter()
        try:
            client.execute()
        except CellTimeoutError:
            raise Failed(f"not finished in {CELL_SECONDS:.0f} s") from None
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
        return time.perf_counter() - begun


SYSTEMS: tuple[System, ...] = (
    Nbdag(), NbdagUnproven(), ElasticKernel(), Kishu(), Dill(), Cloudpickle(), Store(), Rerun(),
)  # fmt: skip
