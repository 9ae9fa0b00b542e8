"""In a real JupyterLab: cells run, the session is compiled, its kernel is killed, another one holds the variables."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.batch.lab import free_port
from nbdag.batch.notebooks import notebook_document
from tests.browser.chromium import Browser, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("jupyterlab") is None, reason="JupyterLab is not installed"),
]

CELLS = (
    ("load", "%load_ext nbdag"),
    ("make", "xs = [1, 2, 3]\nys = xs\ngen = (n * n for n in range(9))\nfirst = next(gen)"),
    ("pid", "import os\nprint('pid', os.getpid())"),
    ("compile", "%nbdag compile bundle"),
    ("graph", "%nbdag graph"),
    ("ask", "print('answer', xs, ys is xs, next(gen), len(In) > 5)"),
)
PICTURES = os.environ.get("NBDAG_PICTURES", "")  # a directory: keep what the browser showed


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "JPY_"))}
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        (tmp_path / name).mkdir()
        found[name] = str(tmp_path / name)
    return found


@pytest.fixture
def lab(tmp_path: Path, environment: dict[str, str]) -> Iterator[str]:
    chromium()
    work = tmp_path / "work"
    work.mkdir()
    document = notebook_document(CELLS, "python3")
    (work / "wine.ipynb").write_text(json.dumps(document), encoding="utf-8")
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--LabApp.expose_app_in_browser=True"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    command += ["--LabApp.news_url=None", "--allow-root"]
    with (tmp_path / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=work, env={**environment, "JUPYTER_TOKEN": "secret"}, stdout=log, stderr=log
        )
    yield f"http://127.0.0.1:{port}/lab/tree/wine.ipynb?token=secret"
    process.terminate()
    process.wait(30)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    somebody = Browser(tmp_path / "profile")
    yield somebody
    somebody.closes()


PANEL = "jupyterapp.shell.currentWidget"
OUTPUTS = f"{PANEL}.content.widgets.map(cell => cell.node.querySelector('.jp-OutputArea')?.innerText || '')"


def test_from_a_killed_kernel_to_the_restored_session(
    lab: str, browser: Browser, environment: dict[str, str], tmp_path: Path
) -> None:
    open_when_up(browser, lab)
    idle = (
        f"{PANEL}.sessionContext.session?.kernel?.status === 'idle' && {PANEL}.content.widgets.length === {len(CELLS)}"
    )
    browser.waits_for(f"{idle} && {PANEL}.content.widgets.length === {len(CELLS)}")
    browser.finds(f"{PANEL}.content.activeCellIndex = 0; jupyterapp.commands.execute('notebook:run-all-cells')")
    browser.waits_for(f"{OUTPUTS}[5].includes('answer')", 120)
    shown = browser.finds(OUTPUTS)
    assert "answer [1, 2, 3] true 1 true" in shown[5].lower()
    assert "restore it with: python bundle/restore.py" in shown[3] and "verified in a fresh process" in shown[3]
    assert browser.finds(f"{PANEL}.content.widgets[3].node.querySelectorAll('table').length") >= 2
    picture = f"{PANEL}.content.widgets[4].node.querySelector('.jp-OutputArea img')"
    browser.waits_for(f"{picture}.naturalWidth > 100", 10)
    keep(browser, "lab-compiled")
    browser.finds(f"{PANEL}.content.activeCellIndex = 4; {PANEL}.content.scrollToItem(4)")
    keep(browser, "lab-graph")

    words = [sys.executable, "-m", "nbdag", "install-kernel", "bundle", "--name", "wine-restored"]
    told = subprocess.run(words, cwd=tmp_path / "work", env=environment, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    os.kill(int(shown[2].split()[1]), signal.SIGKILL)
    browser.waits_for(f"{PANEL}.sessionContext.session?.kernel?.status !== 'idle'", 30)
    browser.clicks(".jp-Dialog .jp-mod-accept")  # the kernel has died and will restart: Ok
    browser.waits_for("!document.querySelector('.jp-Dialog')")
    browser.finds("jupyterapp.serviceManager.kernelspecs.refreshSpecs().then(() => true)")  # as it does every minute
    choose_kernel(browser, "wine-restored")
    browser.waits_for(f"{PANEL}.sessionContext.session?.kernel?.name === 'wine-restored' && {idle}")
    run_cell(browser, 5)
    browser.waits_for(f"{OUTPUTS}[5].includes('answer [1, 2, 3] True 1 True')", 180)
    number = browser.finds(f"{PANEL}.content.widgets[5].model.executionCount")
    assert number == 5, "counting goes on where the session was compiled"
    keep(browser, "lab-restored")


def open_when_up(browser: Browser, url: str) -> None:
    import time
    import urllib.request

    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url.replace("/lab/tree/wine.ipynb", "/api/status"), timeout=10).read()
            break
        except OSError:
            assert time.monotonic() < deadline, "JupyterLab does not start"
            time.sleep(0.2)
    browser.goes_to(url)
    browser.waits_for("window.jupyterapp && jupyterapp.restored.then(() => true)", 90)


def choose_kernel(browser: Browser, name: str) -> None:
    """By the dialog of Kernel, Change Kernel."""
    dialog = ".jp-Dialog select"
    browser.finds("void jupyterapp.commands.execute('kernelmenu:change')")
    browser.waits_for(f"document.querySelector('{dialog}')", 20)
    chosen = browser.finds(
        f"(() => {{ const menu = document.querySelector('{dialog}');"
        f" const option = [...menu.options].find(one => one.value.includes('{name}'));"
        " if (!option) return [...menu.options].map(one => one.value);"
        " menu.value = option.value; menu.dispatchEvent(new Event('change', {bubbles: true})); return true; })()"
    )
    assert chosen is True, chosen
    keep(browser, "lab-choosing")
    browser.clicks(".jp-Dialog .jp-mod-accept")
    browser.waits_for(f"!document.querySelector('{dialog}')")


def run_cell(browser: Browser, index: int) -> None:
    browser.finds(
        f"{PANEL}.content.activeCellIndex = {index}; void jupyterapp.commands.execute('notebook:run-cell'); true"
    )


def keep(browser: Browser, name: str) -> None:
    if PICTURES:
        browser.pictures(Path(PICTURES) / f"{name}.png")
