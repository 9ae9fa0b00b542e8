"""A real kernel that the agent is injected into as source, and what a front end and nbdag do with it."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from nbdag.analysis.trace import read_trace
from nbdag.link import agent_source
from nbdag.model.trace import Trace

INJECT = (
    "(lambda types, sys: (lambda m: (sys.modules.__setitem__('nbdag_agent', m),"
    " exec(compile({source!r}, '<nbdag agent>', 'exec'), m.__dict__)))(types.ModuleType('nbdag_agent')))"
    "(__import__('types'), __import__('sys'))"
)


class Kernel:
    """A kernel with a client; ``cell`` runs as a front end does, ``expression`` as nbdag does."""

    def __init__(self, python: str, directory: Path) -> None:
        self.directory = directory
        command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.manager = KernelManager()
        self.manager._kernel_spec = KernelSpec(argv=command, display_name="test", language="python")
        environment = dict(os.environ, IPYTHONDIR=str(directory / "ipython"), PYTHONPATH="")
        self.manager.start_kernel(cwd=str(directory), env=environment)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def cell(self, source: str, **options: Any) -> str:
        """Run a cell; returns all it printed and displayed."""
        reply: dict[str, Any] = {"status": "aborted"}
        while reply["status"] == "aborted":
            identity = self.client.execute(source, **options)
            reply = self.reply(identity)
            shown = self.outputs(identity)
        return shown

    def reply(self, identity: str) -> dict[str, Any]:
        """The answer to one request; late answers to `wait_for_ready` are passed over."""
        while True:
            message = self.client.get_shell_msg(timeout=60)
            if message["parent_header"].get("msg_id") == identity:
                return dict(message["content"])

    def outputs(self, identity: str) -> str:
        shown = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != identity:
                continue
            content: dict[str, Any] = message["content"]
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return "".join(shown)
            if message["msg_type"] == "stream":
                shown.append(content["text"])
            elif message["msg_type"] in {"display_data", "execute_result"}:
                shown.append(content["data"]["text/plain"])
            elif message["msg_type"] == "error":
                shown.append("\n".join(content["traceback"]))

    def expression(self, text: str) -> Any:
        """The value of an expression that nobody sees: not in `In`, not counted."""
        reply: dict[str, Any] = {"status": "aborted"}  # a cell that failed takes with it what is queued behind it
        while reply["status"] == "aborted":
            identity = self.client.execute("", silent=True, store_history=False, user_expressions={"x": text})
            reply = self.reply(identity)
            self.outputs(identity)
        result = reply["user_expressions"]["x"]
        assert result["status"] == "ok", result
        return ast.literal_eval(result["data"]["text/plain"])

    def inject(self) -> None:
        """Send the agent's linked source into the kernel."""
        self.expression(INJECT.format(source=agent_source()) + " and None")

    def command(self, name: str, **arguments: Any) -> dict[str, Any]:
        text = f"__import__('json').dumps(__import__('sys').modules['nbdag_agent'].command({name!r}, {arguments!r}))"
        answer: dict[str, Any] = json.loads(self.expression(text))
        assert "error" not in answer, answer["error"] + "\n" + answer["traceback"]
        return answer

    def trace(self) -> Trace:
        path = self.directory / "trace.json"
        self.command("trace", path=str(path))
        trace = read_trace(path)
        assert not [finding for finding in trace.diagnostics if finding.code == "recorder"], trace.diagnostics
        return trace
