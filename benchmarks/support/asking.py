"""The same questions to a live kernel and to what a bundle restores, in a process of its own in another directory.

A question is an expression; the answer is its repr, or what it raised. Questions go with the name of the variable that
they are about, whose class is the last answer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# Asks every probe in a namespace; one that raises answers with what it raised.
ASK = """
def _ask(probes, namespace, path):
    import json, warnings
    answers = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, lines in probes.items():
            said = answers[name] = []
            for line in lines:
                try:
                    said.append(repr(eval(compile(line, "<probe>", "eval"), namespace)))
                except BaseException as error:
                    said.append("raises " + type(error).__name__ + ": " + str(error))
            kind = type(namespace.get(name))
            said.append(str(kind.__module__) + "." + kind.__qualname__)
    with open(path, "w") as file:
        json.dump(answers, file)
"""


class Unanswered(Exception):
    """A session that could not be run, compiled or asked, with the reason."""


def ask_kernel(connection_file: str, questions: Mapping[str, Sequence[str]], answers: Path) -> dict[str, list[str]]:
    """What the kernel says; ``answers`` is a file to pass it through. Raises Unanswered."""
    from jupyter_client.blocking.client import BlockingKernelClient

    client = BlockingKernelClient(connection_file=connection_file)
    client.load_connection_file()
    client.start_channels()
    try:
        # No wait_for_ready(): asked who it is, a kernel picks a tip for its banner with the session's random numbers.
        text = ASK + f"_ask({dict(questions)!r}, get_ipython().user_ns, {str(answers)!r})"
        code = f"exec({text!r}, {{'get_ipython': get_ipython}})"
        reply = client.execute(code, silent=True, reply=True, timeout=300)["content"]
    finally:
        client.stop_channels()
    if not answers.exists():
        raise Unanswered(f"the kernel could not be asked: {reply.get('ename')}: {reply.get('evalue')}")
    return dict(json.loads(answers.read_text(encoding="utf-8")))


def ask_restored(
    python: str,
    bundle: Path,
    work: Path,
    questions: Mapping[str, Sequence[str]],
    variables: Mapping[str, str] | None = None,
) -> dict[str, list[str]]:
    """What a copy of ``bundle`` says, restored by ``python`` in the new directory ``work``; nothing if it dies."""
    (work / "elsewhere").mkdir(parents=True)
    shutil.copytree(bundle, work / "bundle")
    answers = work / "answers.json"
    ask = ASK + f"_ask({dict(questions)!r}, __import__('__main__').__dict__, {str(answers)!r})"
    done = subprocess.run(
        [python, "-i", str(work / "bundle" / "restore.py"), "--force"],
        input=f"exec({ask!r}, {{}})\n",
        cwd=work / "elsewhere",
        env=dict(os.environ if variables is None else variables),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    (work / "restore.log").write_text(done.stderr, encoding="utf-8")
    return dict(json.loads(answers.read_text(encoding="utf-8"))) if answers.exists() else {}
