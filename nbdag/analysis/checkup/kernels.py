"""The kernels a notebook may ask for: whether each would start, and in which Python.

A kernelspec outlives the environment it points into; that is the usual way for one to be broken. Each Python kernel's
interpreter is started, all at the same time, and says its version and that of its ipykernel.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbdag.analysis.checkup.check import Check, State
from nbdag.analysis.kernelspecs import DEFAULT_KERNEL, kernelspecs

_PATIENCE = 30.0  # seconds for an interpreter on a slow disk
_OLDEST = (3, 8)  # what nbdag sends into a kernel runs on
_ASK = (
    "import json, sys; found = [list(sys.version_info[:3]), None, '']\n"
    "try:\n    import ipykernel; found[1] = ipykernel.__version__\n"
    "except Exception as error:\n    found[2] = type(error).__name__ + ': ' + str(error)\n"
    "print(json.dumps(found))"
)


@dataclass(frozen=True, slots=True)
class _Spec:
    name: str
    argv: list[str]
    language: str
    directory: str
    environment: dict[str, str]


def look_at_kernelspecs(_state_directory: Path) -> list[Check]:
    """One check per kernelspec; a problem if not one Python kernel starts."""
    checks, specs = _read()
    asked = [(spec, _start(spec)) for spec in specs if spec.language.lower() == "python"]
    checks += [_judge(spec, started) for spec, started in asked]
    foreign = [spec.name for spec in specs if spec.language.lower() != "python"]
    if foreign:
        checks.append(Check("other languages", State.INFO, f"{', '.join(foreign)}: nbdag moves Python sessions"))
    if not any(check.state is State.OK for check in checks):
        remedy = "python -m pip install ipykernel, in the environment of your notebooks; then: " + _REINSTALL
        checks.append(Check("Python kernels", State.PROBLEM, "not one starts", remedy))
    elif DEFAULT_KERNEL not in {spec.name for spec in specs}:
        remedy = f"notebooks that name no kernel take it; {_REINSTALL}"
        checks.append(Check(f"kernel {DEFAULT_KERNEL}", State.WARNING, "there is none", remedy))
    return checks


_REINSTALL = "python -m ipykernel install --user"


def _read() -> tuple[list[Check], list[_Spec]]:
    manager = kernelspecs()
    checks, specs = [], []
    for name, directory in sorted(manager.find_kernel_specs().items()):
        try:
            values: Any = json.loads(Path(directory, "kernel.json").read_text(encoding="utf-8"))
            argv = [str(word) for word in values["argv"]]
            environment = {str(key): str(value) for key, value in (values.get("env") or {}).items()}
            specs.append(_Spec(name, argv, str(values.get("language", "python")), directory, environment))
            argv[0]  # an empty command
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            if specs and specs[-1].name == name:
                specs.pop()
            says = f"{directory}/kernel.json cannot be read: {type(error).__name__}: {error}"
            checks.append(Check(f"kernel {name}", State.WARNING, says, f"jupyter kernelspec remove {name}"))
    if DEFAULT_KERNEL not in {spec.name for spec in specs}:
        # jupyter_client gives this one without any file where ipykernel is installed beside it.
        with suppress(Exception):
            own = manager.get_kernel_spec(DEFAULT_KERNEL)
            specs.append(_Spec(DEFAULT_KERNEL, list(own.argv), own.language, own.resource_dir, dict(own.env)))
    return checks, specs


def _start(spec: _Spec) -> subprocess.Popen[str] | str:
    """The interpreter at work, or why there is none."""
    # Whether a launcher in between (conda run, a shell script) works, only the kernel itself could tell.
    # jupyter_client takes its own Python where a kernelspec only says "python".
    own = {"python", "python{}".format(*sys.version_info), "python{}.{}".format(*sys.version_info)}
    program = sys.executable if spec.argv[0] in own else shutil.which(spec.argv[0])
    if program is None:
        return f"{spec.argv[0]} is not there"
    if "python" not in os.path.basename(program).lower() and "pypy" not in os.path.basename(program).lower():
        return ""
    try:
        return subprocess.Popen(
            [program, "-c", _ASK],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **spec.environment},
        )
    except OSError as error:
        return f"{program} does not start: {error.strerror}"


def _judge(spec: _Spec, started: subprocess.Popen[str] | str) -> Check:
    what, remove = f"kernel {spec.name}", f"jupyter kernelspec remove {spec.name}"
    if isinstance(started, str):
        if not started:
            return Check(what, State.OK, f"started by {spec.argv[0]}, which was not tried")
        return Check(what, State.WARNING, started, f"its environment is gone; {remove}")
    program = str(started.args[0]) if isinstance(started.args, list) else spec.argv[0]
    try:
        out, wrong = started.communicate(timeout=_PATIENCE)
        version, ipykernel, why = json.loads(out)
    except subprocess.TimeoutExpired:
        started.kill()
        started.communicate()
        return Check(what, State.WARNING, f"{program} did not answer for {_PATIENCE:.0f} s", f"try it: {program} -V")
    except (ValueError, OSError):
        last = (wrong.strip().splitlines() or ["it said nothing"])[-1]
        return Check(what, State.WARNING, f"{program} does not run: {last}", f"its environment is damaged; {remove}")
    says = f"Python {'.'.join(map(str, version))}, {program}"
    if tuple(version) < _OLDEST:
        return Check(what, State.WARNING, says, f"nbdag records sessions of Python {_OLDEST[0]}.{_OLDEST[1]} and later")
    if ipykernel is None:
        lacks = "ipykernel is not installed" if "No module named 'ipykernel'" in why else f"ipykernel fails: {why}"
        return Check(what, State.WARNING, f"{says}: {lacks}", f"{program} -m pip install ipykernel")
    return Check(what, State.OK, f"{says}, ipykernel {ipykernel}")
