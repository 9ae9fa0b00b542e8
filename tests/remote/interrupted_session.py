"""The process of ``test_random_interrupts.py``: sends cells away, says "goes" before each, and afterwards what it has.

python -m tests.remote.interrupted_session URL TOKEN CELLS
"""

from __future__ import annotations

import json
import signal
import sys
import time

from tests.remote.notebook import Notebook

CELL = """
log.append(count)
table[:] = count + 1
pair = (log, count)
random.random()
for _ in range(8): time.sleep(0.01)
count += 1
"""
LATE = 0.6  # seconds after the cell in which an interrupt that is on its way arrives


def wrong(notebook: Notebook) -> str:
    """What is neither as before the cell nor as after it, nor as after some of its statements."""
    log, count, pair = notebook["log"], notebook["count"], notebook["pair"]
    steps = len(log) - count  # 1: the cell raised there between its first statement and its last
    if log[:count] != list(range(count)) or steps not in (0, 1) or (steps and log[count:] != [count]):
        return f"log {log} at count {count}"
    if not (notebook["table"] == notebook["table"][0]).all() or notebook["table"][0] not in (count, count + steps):
        return f"table {notebook['table'][:3]} at count {count}"
    if pair[0] is not log:
        return "pair holds another log"
    return "" if pair[1] in (count - 1, count - 1 + steps) else f"pair {pair[1]} at count {count}"


def main() -> None:
    url, token, cells = sys.argv[1], sys.argv[2], int(sys.argv[3])
    notebook = Notebook()
    shown, sys.stdout = sys.stdout, sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    notebook.connect(url, token, kernel="elsewhere")
    start = "import random, time, numpy as np\ncount = 0; log = []; table = np.zeros(200_000); pair = (log, -1)"
    notebook.runs(start)
    notebook.sends("first = 1")
    for _ in range(cells):
        notebook.runs(start)
        ended = ""
        print("goes", file=shown, flush=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            try:
                outcome = notebook.sends_anyway(CELL)
                ended = type(outcome.error).__name__ if outcome.error is not None else "ok"
                time.sleep(LATE)
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        except BaseException as error:
            ended = ended or type(error).__name__
        found = wrong(notebook)
        if not found:  # and it works on
            notebook.runs(start)
            notebook.sends(CELL)
            found = wrong(notebook) or ("" if notebook["count"] == 1 else "the next cell has no effect")
        print(json.dumps({"ended": ended, "wrong": found}), file=shown, flush=True)
    notebook.close()


if __name__ == "__main__":
    main()
