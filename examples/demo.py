"""``make demo``: analyze a notebook, compile its session, restore it in a fresh interpreter, and prove it is the same.

The commands are the ones a user types. The proof does not trust them: the same questions (``facts.py``) go to the live
kernel and to ``python -i demo_bundle/restore.py``, and the answers are compared here.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
BUNDLE = "demo_bundle"
MARK = "the facts: "


def main() -> int:
    """Run the demo in the checkout; 0 when every answer is the same."""
    os.chdir(CHECKOUT)
    begun = time.monotonic()
    session = None
    try:
        status = nbdag("analyze", "examples/demo.ipynb")
        session = kept_session()
        if status or session is None:
            return status or 1
        # 1 means that something is lost and named: the proof below says whether that matters.
        if (status := nbdag("compile", "--out", f"{BUNDLE}/")) > 1:
            return status
        live = ask_live_session(session["connection_file"])
        restored = ask_restored_session()
    finally:
        if session is not None:
            subprocess.run([sys.executable, "cli.py", "stop", session["id"]], stderr=subprocess.DEVNULL)
    wrong = compare(live, restored)
    print(f"\n{len(live) - wrong} of {len(live)} answers are the same ({time.monotonic() - begun:.0f} s in all)")
    print(f"the session is yours: .venv/bin/python -i {BUNDLE}/restore.py")
    return 1 if wrong else 0


def nbdag(*words: str) -> int:
    """Run a command of nbdag as a user would, in sight."""
    print(f"\n$ nbdag {' '.join(words)}", flush=True)
    return subprocess.run([sys.executable, "cli.py", *words]).returncode


def kept_session() -> dict[str, str] | None:
    """What ``nbdag sessions`` says about the demo's kernel."""
    answer = subprocess.run(
        [sys.executable, "cli.py", "sessions", "--format", "json"], capture_output=True, text=True, check=True
    )
    notebook = str(HERE / "demo.ipynb")
    found = [session for session in json.loads(answer.stdout)["sessions"] if session["notebook"] == notebook]
    return found[-1] if found else None


def ask_live_session(connection_file: str) -> dict[str, str]:
    """The facts of the kernel that ``analyze`` kept, asked like any Jupyter client asks."""
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient()
    client.load_connection_file(connection_file)
    client.start_channels()
    try:
        reply = client.execute(
            f"exec(open({str(HERE / 'facts.py')!r}, encoding='utf-8').read())",
            silent=True,
            user_expressions={"facts": "__import__('json').dumps(facts(globals()))"},
            reply=True,
            timeout=60,
        )
    finally:
        client.stop_channels()
    result = reply["content"]["user_expressions"]["facts"]
    if result["status"] == "error":
        sys.exit(f"the live session does not answer: {result['ename']}: {result['evalue']}")
    return dict(json.loads(ast.literal_eval(result["data"]["text/plain"])))


def ask_restored_session() -> dict[str, str]:
    """The facts of ``python -i restore.py``, typed at its prompt."""
    restore = CHECKOUT / BUNDLE / "restore.py"
    print(f"\n$ python -i {BUNDLE}/restore.py", flush=True)
    typed = (
        "import sys; sys.ps1 = ''\n"
        f"exec(open({str(HERE / 'facts.py')!r}, encoding='utf-8').read())\n"
        f"import json; print({MARK!r} + json.dumps(facts(globals())))\n"
    )
    # Where the notebook was: it opens a file that lies beside it.
    process = subprocess.Popen(
        [sys.executable, "-i", str(restore)], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    out, _ = process.communicate(typed)
    told = [line for line in out.splitlines() if MARK in line]
    if not told:
        sys.exit(f"the restored session does not answer:\n{out}")
    return dict(json.loads(told[-1].partition(MARK)[2]))


def compare(live: dict[str, str], restored: dict[str, str]) -> int:
    """Print both answers to every question; the number that differ."""
    print("\nthe same questions to the live session and to the restored one:")
    width = max(map(len, live))
    wrong = 0
    for question, answer in live.items():
        same = restored.get(question) == answer
        wrong += not same
        also = "" if same else f"   but restored: {restored.get(question)}"
        print(f"  {'same ' if same else 'DIFFERENT'} {question:<{width}}  {shorten(answer)}{also}")
    return wrong


def shorten(text: str, width: int = 60) -> str:
    """The beginning of a long answer."""
    return text if len(text) <= width else text[: width - 3] + "..."


if __name__ == "__main__":
    sys.exit(main())
