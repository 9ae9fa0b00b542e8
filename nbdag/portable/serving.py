"""A restored session inside a Jupyter kernel: installed for the launcher, started by hand, announced to its user.

A kernel restores by running restore.py as a start-up file of ipykernel (``IPKernelApp.exec_files``), so the values are
made where the cells will run. Where kernelspecs and connection files belong is Jupyter's convention:
https://docs.jupyter.org/en/latest/use/jupyter-directories.html
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List

KERNEL_NAME = r"[A-Za-z0-9._-]+\Z"  # what jupyter_client takes


def jupyter_data_directory() -> str:
    """The user's own Jupyter data directory on this system."""
    if os.environ.get("JUPYTER_DATA_DIR"):
        return os.environ["JUPYTER_DATA_DIR"]
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Jupyter")
    if os.name == "nt":
        return os.path.join(os.environ.get("APPDATA") or os.path.join(home, ".jupyter"), "jupyter")
    return os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share"), "jupyter")


def jupyter_runtime_directory() -> str:
    """Where front ends look for the connection files of running kernels."""
    return os.environ.get("JUPYTER_RUNTIME_DIR") or os.path.join(jupyter_data_directory(), "runtime")


def kernel_command(script: str, connection_file: str) -> List[str]:
    """The command line of a kernel of this Python that runs ``script`` before its first cell."""
    application, script = "--IPKernelApp.", os.path.abspath(script)
    return [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "-f",
        connection_file,
        # A bundle that was moved away: no kernel is better than one without the variables.
        application + "exec_lines=if not __import__('os').path.isfile(%r): __import__('os')._exit(1)" % script,
        application + running(script),
        application + "hide_initial_ns=False",  # %who lists the variables
    ]


def running(script: str) -> str:
    """The option that has a kernel run ``script``; the one in an archive is no file that it could be given."""
    if script.endswith(".py"):
        return "exec_files=" + script
    read = "__import__('zipfile').ZipFile(%r).read('__main__.py')" % script
    return "exec_lines=exec(compile(%s, %r, 'exec'))" % (read, script)


def install_kernel(name: str, script: str, title: str) -> str:
    """Make the session selectable in JupyterLab under ``name``; returns the directory of the kernelspec.

    Raises ValueError for a name that Jupyter would not take or that belongs to another kernel.
    """
    import json
    import re

    if not re.match(KERNEL_NAME, name):
        raise ValueError("a kernel's name is made of letters, digits, '.', '_' and '-': %r is not" % name)
    directory = os.path.join(jupyter_data_directory(), "kernels", name.lower())
    path = os.path.join(directory, "kernel.json")
    if os.path.lexists(directory) and not is_ours(path):
        raise ValueError("%s belongs to another kernel; choose another name" % directory)
    os.makedirs(directory, exist_ok=True)
    bundle = os.path.abspath(script)
    bundle = os.path.dirname(bundle) if bundle.endswith(".py") else bundle
    spec = {
        "argv": kernel_command(script, "{connection_file}"),
        "display_name": title,
        "language": "python",
        "metadata": {"debugger": True, "nbdag": {"bundle": bundle}},
    }
    unfinished = path + ".new"
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump(spec, file, indent=1)
    os.replace(unfinished, path)
    return directory


def is_ours(path: str) -> bool:
    """Whether the kernelspec at ``path`` was installed from a bundle."""
    import json

    try:
        with open(path, encoding="utf-8") as file:
            return "nbdag" in json.load(file)["metadata"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def serve_kernel(script: str) -> int:
    """Run a kernel that holds the session until it ends; says how to connect. Returns its exit status."""
    import subprocess
    import uuid

    directory = jupyter_runtime_directory()
    os.makedirs(directory, mode=0o700, exist_ok=True)
    connection_file = os.path.join(directory, "kernel-%s.json" % uuid.uuid4())
    sys.stderr.write(
        "nbdag: starting a kernel that holds the session; connect with one of\n"
        "  jupyter console --existing %s\n"
        "  JupyterLab: right-click in a notebook, Change Kernel\n"
        "  ends with Ctrl-C here, or when the front end shuts it down\n" % os.path.basename(connection_file)
    )
    sys.stderr.flush()
    command = kernel_command(script, connection_file)
    # Its stdout: ipykernel says there how to end it, which is not how this one ends.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        return process.wait()
    except KeyboardInterrupt:  # the kernel got it too, and takes it for an interrupt of a cell
        process.terminate()
        process.wait()
        return 0
    finally:
        if os.path.exists(connection_file):
            os.remove(connection_file)


def lacks_ipykernel() -> bool:
    """Whether this Python cannot run a kernel."""
    import importlib.util

    return importlib.util.find_spec("ipykernel") is None


def announce(text: str) -> None:
    """Show ``text`` with the first cell, if this process is a kernel that still starts: nobody reads its log."""
    ipython: Any = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    kernel = getattr(shell, "kernel", None)
    if kernel is None or has_been_asked(kernel):
        return

    def show(*_: Any) -> None:
        shell.events.unregister("pre_run_cell", show)
        sys.stderr.write(text + "\n")
        sys.stderr.flush()  # a kernel sends each stream by its own clock: else into the middle of the cell's output

    shell.events.register("pre_run_cell", show)


def has_been_asked(kernel: Any) -> bool:
    """Whether a front end has sent ``kernel`` anything to run."""
    try:
        parent: Dict[str, Any] = kernel.get_parent() or {}
    except Exception:
        return False
    return bool(parent)
