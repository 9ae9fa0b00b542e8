"""One measurement of benchmarks/bundles.py, in a process and an environment of its own: save a state, or restore it.

    python bundles_worker.py save SYSTEM KIND BYTES DIRECTORY
    python bundles_worker.py load SYSTEM KIND BYTES DIRECTORY START      (START: time.monotonic() when it was launched)

Prints one JSON object as its last line. A state is made from its name and size alone, so the process that has restored
one makes it again, after all measurements, and compares. Nothing of nbdag is imported but by the system "nbdag".
"""

from __future__ import annotations

import datetime
import json
import os
import pickle
import random
import sys
import time
import types
from typing import Any

KINDS = ("numeric", "views", "frames", "strings", "objects", "models")


# ------------------------------------------------------------------------------------------------ states


def build(kind: str, size: int) -> dict[str, Any]:
    """The variables of a session of about ``size`` bytes."""
    return {
        "numeric": numeric,
        "views": views,
        "frames": frames,
        "strings": strings,
        "objects": objects,
        "models": models,
    }[kind](size)


def numeric(size: int) -> dict[str, Any]:
    import numpy as np

    rng, n = np.random.default_rng(0), size // 8
    return {
        "measured": rng.standard_normal(n // 2),
        "counts": rng.integers(0, 1000, n // 4).reshape(-1, 2),
        "image": np.asfortranarray(rng.random((n // 256, 64))),
        "settings": {"rate": 0.1, "names": ["a", "b"]},
    }


def views(size: int) -> dict[str, Any]:
    import numpy as np

    base = np.random.default_rng(0).standard_normal((size // 32, 2))
    return {"base": base, "train": base[: len(base) // 2], "flipped": base[::-1], "kept": base.copy()}


def frames(size: int) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    rng, n = np.random.default_rng(0), size // 58
    frame = pd.DataFrame(
        {
            "price": rng.random(n),
            "amount": rng.integers(0, 100, n),
            "when": pd.date_range("2020-01-01", periods=n, freq="s"),
            "kind": pd.Categorical.from_codes(rng.integers(0, 4, n).astype("int8"), ["a", "b", "c", "d"]),
            "weight": rng.standard_normal(n),
        }
    )
    return {
        "frame": frame,
        "dear": frame[frame["price"] > 0.5].reset_index(drop=True),
        "mean": float(frame.price.mean()),
    }


def strings(size: int) -> dict[str, Any]:
    rng, n = random.Random(0), size // 150
    lines = [f"{i:06d} the {i}th line of a text, {rng.getrandbits(64):x}" for i in range(n)]
    return {"lines": lines, "by_number": {f"key{i}": line.upper() for i, line in enumerate(lines[: n // 2])}}


def objects(size: int) -> dict[str, Any]:
    rng, n, day = random.Random(0), size // 330, datetime.date(2020, 1, 1)
    rows = [
        {
            "id": i,
            "at": day + datetime.timedelta(i % 5000),
            "xy": (rng.random(), i / 7),
            "tags": [f"t{i % 50}"],
            "more": None,
        }
        for i in range(n)
    ]
    return {"rows": rows, "index": {row["id"]: row for row in rows}, "last": types.SimpleNamespace(row=rows[-1])}


def models(size: int) -> dict[str, Any]:
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    n = min(size // 2500, 8000)
    x, y = rng.random((n, 8)), rng.random(n)
    rows = max((size - n * 1800) // 136, 100)
    wide, target = rng.random((rows, 16)), rng.random(rows)
    return {
        "forest": RandomForestRegressor(20, random_state=0).fit(x, y),
        "scaled": make_pipeline(StandardScaler(), KNeighborsRegressor(algorithm="brute")).fit(wide, target),
    }


LIBRARIES = {
    "numeric": "import numpy",
    "views": "import numpy",
    "frames": "import pandas",
    "strings": "",
    "objects": "import datetime, types",
    "models": "import numpy, sklearn.ensemble, sklearn.neighbors, sklearn.pipeline, sklearn.preprocessing",
}
"""What a target must import before it can hold the values: the least that "ready" can take."""


# ------------------------------------------------------------------------------------------------ judging


def touch(value: Any, seen: dict[int, Any]) -> int:
    """Read every byte that ``value`` holds; some number that depends on it."""
    kind = type(value)
    if kind is str:
        return len(value.encode("utf-8", "surrogatepass"))
    if kind in (int, float, bool, type(None), datetime.date):
        return 1
    if id(value) in seen:
        return 0
    seen[id(value)] = value  # kept: the number of what is gone is given to something else
    if kind in (list, tuple, set):
        return sum(touch(item, seen) for item in value)
    if kind is dict:
        return sum(touch(key, seen) + touch(item, seen) for key, item in value.items())
    np = sys.modules.get("numpy")
    if np is not None and isinstance(value, np.ndarray):
        if value.dtype == object:
            return sum(touch(item, seen) for item in value.ravel().tolist())
        flat = value.ravel(order="K") if value.flags.forc else value
        wide = flat.view("u8") if flat.dtype.itemsize % 8 == 0 and flat.dtype.fields is None else flat
        if wide.dtype.kind in "iufb":
            return int(np.bitwise_xor.reduce(wide, axis=None)) if wide.dtype.kind in "iu" else int(wide.sum() > 0)
        return int(sum(flat.tobytes()[::64]))
    pd = sys.modules.get("pandas")
    if pd is not None and isinstance(value, pd.DataFrame):
        return sum(touch(pd.Series(value[name]).array, seen) for name in value)
    if pd is not None and hasattr(value, "codes"):
        return touch(value.codes, seen)
    if pd is not None and hasattr(value, "asi8"):
        return touch(value.asi8, seen)
    if pd is not None and hasattr(value, "to_numpy"):
        return touch(value.to_numpy(), seen)
    state = (
        value.__getstate__() if hasattr(value, "__getstate__") and kind.__module__.startswith("sklearn.tree") else None
    )
    return touch(state if state is not None else getattr(value, "__dict__", {}), seen)


def same(one: Any, other: Any, seen: dict[tuple[int, int], Any]) -> str:
    """Where two values differ, "" if they do not: types, contents, order, flags of arrays."""
    pending = [("", one, other)]
    while pending:
        place, a, b = pending.pop()
        if type(a) is not type(b):
            return f"{place} is a {type(b).__name__}"
        if (id(a), id(b)) in seen:
            continue
        seen[id(a), id(b)] = (a, b)  # kept: the number of what is gone is given to something else
        module = type(a).__module__.partition(".")[0]
        if module == "numpy" and type(a).__name__ == "ndarray":
            if a.dtype != b.dtype or a.shape != b.shape or a.flags.writeable != b.flags.writeable:
                return f"{place} has another form"
            if a.dtype == object:
                pending += [(f"{place}[{i}]", x, y) for i, (x, y) in enumerate(zip(a.flat, b.flat, strict=True))]
            elif a.dtype.fields is not None:  # padding bytes mean nothing
                pending += [(f"{place}[{name!r}]", a[name].copy(), b[name].copy()) for name in a.dtype.names]
            elif a.tobytes() != b.tobytes():
                return f"{place} holds other numbers"
        elif module == "pandas":
            from pandas.testing import assert_frame_equal

            try:
                assert_frame_equal(a, b, check_exact=True, check_freq=True)
            except AssertionError as error:
                return "{}: {}".format(place, str(error).split("\n")[0])
        elif type(a) in (list, tuple):
            if len(a) != len(b):
                return f"{place} has another length"
            pending += [(f"{place}[{i}]", x, y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
        elif type(a) is dict:
            if list(a) != list(b):
                return f"{place} has other keys"
            pending += [(f"{place}[{key!r}]", a[key], b[key]) for key in a]
        elif type(a).__name__ == "Tree":
            pending.append((place + ".state", a.__getstate__(), b.__getstate__()))
        elif type(a).__name__ == "RandomState":
            pending.append((place + ".state", a.get_state(), b.get_state()))
        elif hasattr(a, "__dict__") and module != "numpy":
            pending.append((place + ".__dict__", vars(a), vars(b)))
        elif not (a == b or (a != a and b != b)):
            return f"{place} is another value"
    return ""


def sharing(values: dict[str, Any]) -> list[str]:
    """Which of the variables share memory or objects."""
    found = []
    if "base" in values:
        import numpy as np

        found = [name for name in ("train", "flipped", "kept") if np.shares_memory(values["base"], values[name])]
    if "rows" in values:
        rows, index = values["rows"], values["index"]
        found = ["index"] if all(index[row["id"]] is row for row in rows) else []
        found += ["last"] if values["last"].row is rows[-1] else []
    return found


# ------------------------------------------------------------------------------------------------ systems


def save_with_cloudpickle(values: dict[str, Any], folder: str) -> None:
    import cloudpickle

    with open(folder + "/state.pkl", "wb") as file:
        cloudpickle.dump(values, file)


def load_with_cloudpickle(folder: str) -> dict[str, Any]:
    with open(folder + "/state.pkl", "rb") as file:  # what cloudpickle writes, plain pickle reads
        return pickle.load(file)


def save_with_dill(values: dict[str, Any], folder: str) -> None:
    import dill

    with open(folder + "/state.pkl", "wb") as file:
        dill.dump(values, file)


def load_with_dill(folder: str) -> dict[str, Any]:
    import dill

    with open(folder + "/state.pkl", "rb") as file:
        return dill.load(file)


def save_with_joblib(values: dict[str, Any], folder: str) -> None:
    import joblib

    joblib.dump(values, folder + "/state.joblib")


def load_with_joblib(folder: str) -> dict[str, Any]:
    import joblib

    return joblib.load(folder + "/state.joblib")


def load_with_joblib_mapped(folder: str) -> dict[str, Any]:
    import joblib

    return joblib.load(folder + "/state.joblib", mmap_mode="c")


def shell_with(values: dict[str, Any]) -> Any:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.user_ns.update(values)
    return shell


def save_with_elastic_kernel(values: dict[str, Any], folder: str) -> dict[str, float]:
    from elastic_notebook import ElasticNotebook

    shell = shell_with({})
    notebook = ElasticNotebook(shell=shell, log_file_dir=folder + "/..")
    notebook.manual_migration_speed = True  # a link so fast that it stores: what is measured here is storing
    notebook.migration_speed_bps = notebook.selector.migration_speed_bps = 1e15
    shell.user_ns["STATE"] = values
    before = set(shell.user_ns)
    cell = "\n".join(f"{name} = STATE[{name!r}]" for name in values)
    shell.run_cell(cell)
    clock = Clock()
    notebook.record_event(cell, before, time.time() - 1000, 1000.0)
    recording = clock.read()
    clock = Clock()
    if notebook.checkpoint(folder + "/state.pickle") is False:
        raise RuntimeError("checkpoint() says that it failed")
    return {**clock.read(), "recording": recording["wall"]}


def load_with_elastic_kernel(folder: str) -> dict[str, Any]:
    from elastic_notebook import ElasticNotebook

    shell = shell_with({})
    ElasticNotebook(shell=shell, log_file_dir=folder + "/..").load_checkpoint(folder + "/state.pickle")
    return shell.user_ns


def kishu_of(shell: Any, folder: str) -> Any:
    from pathlib import Path

    import nbformat
    from kishu.jupyterint import KishuForJupyter
    from kishu.notebook_id import NotebookId

    path = Path(folder) / "state.ipynb"
    if not path.exists():
        nbformat.write(nbformat.v4.new_notebook(), path)
    return KishuForJupyter(NotebookId("bench", path, "no-kernel"), shell)


def save_with_kishu(values: dict[str, Any], folder: str) -> dict[str, float]:
    shell = shell_with({})
    kishu = kishu_of(shell, folder)
    kishu.save_notebook = lambda: None  # there is no front end to ask
    kishu.install_kishu_hooks()
    shell.user_ns["STATE"] = values
    clock = Clock()
    shell.run_cell("\n".join(f"{name} = STATE[{name!r}]" for name in values) + "\ndel STATE", store_history=True)
    return clock.read()


def load_with_kishu(folder: str) -> dict[str, Any]:
    shell = shell_with({})
    kishu = kishu_of(shell, folder)
    kishu.save_notebook = kishu.reload_jupyter_frontend = lambda: None
    commits = kishu._kishu_graph.list_all_history()
    kishu.checkout(commits[-1].commit_id, skip_notebook=True)
    return shell.user_ns


def save_with_nbdag(values: dict[str, Any], folder: str) -> dict[str, float]:
    """A whole ``%nbdag compile --no-verify`` (survey, plan, encode, write), and encoding and writing alone."""
    from pathlib import Path

    from nbdag import pipeline
    from nbdag.analysis.agent_client import LocalAgent
    from nbdag.model.plan import Load, Plan
    from nbdag.portable.bundlefile import read_data
    from nbdag.portable.encode import write_group
    from nbdag.replay.bundle import write_bundle

    shell_with(values)
    agent = LocalAgent()
    agent.command("start", {"late": True})
    clock = Clock()
    out = Path(folder, "bundle")
    # A local disk: what is packed for a slow link would have to be unpacked before it is ready.
    pipeline.compile_bundle(
        out, agent=agent, verify=False, store=list(values), bandwidth=1e9, state_directory=Path(folder, "..", "s")
    )
    whole = clock.read()
    agent.command("stop", {})
    groups = read_data(str(out), "")["groups"]
    again = Path(folder, "..", "again")
    clock = Clock()
    parts = [write_group({name: values[name] for name in g["names"]}, {}, {}, str(again / "staging")) for g in groups]
    steps = tuple(Load(number, tuple(group["names"]), 0, 0) for number, group in enumerate(groups))
    write_bundle(
        Plan(steps, (), 0.0, 0.0, 0.0, ()), {"groups": parts}, again / "staging", again / "bundle",
        process_state={}, random_states={}, provenance={}, requirements=[],
    )  # fmt: skip
    return {**clock.read(), "compile": whole["wall"], "compile_cpu": whole["cpu"], "whole_peak": whole["peak"]}


def load_with_nbdag(folder: str, *arguments: str) -> dict[str, Any]:
    """As ``python restore.py`` does, in a namespace of its own."""
    script = folder + "/bundle/restore.py"
    sys.argv = [script, *arguments]
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": script}
    with open(script, encoding="utf-8") as file:
        exec(compile(file.read(), script, "exec"), namespace)
    return namespace


def load_with_nbdag_eager(folder: str) -> dict[str, Any]:
    return load_with_nbdag(folder, "--eager")


def save_by_copying(values: dict[str, Any], folder: str) -> dict[str, float]:
    """The bytes of the bundle that nbdag made of this state, from memory to a file, synced: what writing must cost."""
    source = folder + "/../../nbdag/save/bundle"
    paths = [os.path.join(where, name) for where, _, names in os.walk(source) for name in names]
    pieces = []
    for path in paths:
        with open(path, "rb") as file:
            pieces.append(file.read())
    clock = Clock()
    with open(folder + "/copy", "wb", buffering=0) as file:
        for piece in pieces:
            view = memoryview(piece)
            for start in range(0, len(view), 4 << 20):
                file.write(view[start : start + (4 << 20)])
        os.fsync(file.fileno())
    return clock.read()


SAVERS = {
    "nbdag": save_with_nbdag,
    "copy": save_by_copying,
    "cloudpickle": save_with_cloudpickle,
    "dill": save_with_dill,
    "joblib": save_with_joblib,
    "elastic-kernel": save_with_elastic_kernel,
    "kishu": save_with_kishu,
}
LOADERS = {
    "nbdag": load_with_nbdag,
    "nbdag --eager": load_with_nbdag_eager,
    "nbdag first": load_with_nbdag,
    "cloudpickle": load_with_cloudpickle,
    "dill": load_with_dill,
    "joblib": load_with_joblib,
    "joblib mmap": load_with_joblib_mapped,
    "elastic-kernel": load_with_elastic_kernel,
    "kishu": load_with_kishu,
}


# ------------------------------------------------------------------------------------------------ measuring


class Clock:
    """Wall and CPU seconds, and how far the peak of resident memory rises, from when it is made to when it is read."""

    def __init__(self) -> None:
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the peak begins again at what is resident now
        except OSError:
            pass
        self.before = resident("VmRSS")
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return {"wall": wall, "cpu": cpu, "peak": resident("VmHWM") - self.before}


def resident(field: str) -> int:
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field + ":"))
    except (OSError, StopIteration):
        return 0


def size_of(folder: str) -> int:
    return sum(os.path.getsize(os.path.join(where, name)) for where, _, names in os.walk(folder) for name in names)


def save(system: str, kind: str, size: int, folder: str) -> dict[str, Any]:
    values = build(kind, size)
    clock = Clock()
    measured = SAVERS[system](values, folder) or clock.read()
    return {**measured, "size": size_of(folder)}


def load(system: str, kind: str, size: int, folder: str, start: float) -> dict[str, Any]:
    if system == "imports":
        exec(LIBRARIES[kind], {})
        return {"ready": time.monotonic() - start, "ready_cpu": time.process_time()}
    values = LOADERS[system](folder)
    ready, ready_cpu = time.monotonic() - start, time.process_time()
    peak = resident("VmHWM")
    names = [name for name in values if not name.startswith("_")]
    seen: dict[int, Any] = {}
    sum(touch(values[name], seen) for name in names if name in NAMES[kind])
    measured: dict[str, Any] = {
        "ready": ready,
        "ready_cpu": ready_cpu,
        "touched": time.monotonic() - start,
        "touched_cpu": time.process_time(),
        "peak": peak,
        "touched_peak": resident("VmHWM"),
    }
    wanted = build(kind, size)
    missing = [name for name in wanted if name not in values]
    pairs: dict[tuple[int, int], Any] = {}
    wrong = [place for name in wanted if name in values for place in [same(wanted[name], values[name], pairs)] if place]
    if missing or wrong:
        measured["verdict"] = ", ".join([f"{name} is missing" for name in missing] + wrong)
    elif sharing(values) != sharing(wanted):
        measured["verdict"] = "sharing lost"
    else:
        measured["verdict"] = "same"
    return measured


NAMES = {
    "numeric": ("measured", "counts", "image", "settings"),
    "views": ("base", "train", "flipped", "kept"),
    "frames": ("frame", "dear", "mean"),
    "strings": ("lines", "by_number"),
    "objects": ("rows", "index", "last"),
    "models": ("forest", "scaled"),
}


def main(arguments: list[str]) -> None:
    what, system, kind, size, folder = arguments[:5]
    if what == "save":
        os.makedirs(folder, exist_ok=True)
        answer = save(system, kind, int(size), folder)
    else:
        answer = load(system, kind, int(size), folder, float(arguments[5]))
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
