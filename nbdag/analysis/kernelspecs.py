"""Which kernelspec a notebook runs with."""

from __future__ import annotations

import os
from typing import Any

from nbdag.errors import EnvironmentRefused, NotebookError
from nbdag.model.notebook import Notebook

DEFAULT_KERNEL = "python3"  # what every Jupyter calls the kernel of its own environment


def kernelspecs() -> Any:
    """Where kernelspecs are looked for: as jupyter_client does, but it would make ~/.ipython where there is none."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_core.paths import jupyter_path

    home = os.environ.get("IPYTHONDIR") or os.path.expanduser("~/.ipython")
    return KernelSpecManager(kernel_dirs=[*jupyter_path("kernels"), os.path.join(home, "kernels")])


def choose_kernelspec(notebook: Notebook, kernel_name: str = "") -> str:
    """The kernelspec to run this notebook with: what the user says, else what the notebook names, else python3."""
    from jupyter_client.kernelspec import NoSuchKernel

    manager = kernelspecs()
    name = kernel_name or notebook.kernel_name or DEFAULT_KERNEL
    if notebook.language.lower() not in {"python", ""} and not kernel_name:
        raise NotebookError(
            f"{notebook.path}: a {notebook.language} notebook; nbdag moves Python sessions",
            "if it is Python after all, name its kernel: --kernel-name python3",
        )
    try:
        spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        known = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        whose = "" if kernel_name else f" that {notebook.path} asks for"
        raise EnvironmentRefused(
            f"no kernel named {name!r}{whose}; this machine has: {known}",
            "choose one with --kernel-name NAME" if known != "none" else "install one: pip install ipykernel",
        ) from None
    if spec.language.lower() != "python":
        raise NotebookError(f"kernel {name!r} speaks {spec.language}; nbdag moves Python sessions")
    return name
