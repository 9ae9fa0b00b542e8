"""A script for any Python: cells, as JSON on stdin, run under the recorder in the barest shell that it can hook into.

Prints, as JSON, for each cell what was recorded of its last statement, then who holds which id of ``sys.monitoring``
while it records and afterwards, and the diagnostics.
"""

import ast
import json
import sys
import types

sys.path.insert(0, sys.argv[1])

from nbdag.portable.recorder import Recorder


class Events:
    def __init__(self):
        self.callbacks = {}

    def register(self, event, callback):
        self.callbacks.setdefault(event, []).append(callback)

    def unregister(self, event, callback):
        self.callbacks[event].remove(callback)

    def fire(self, event, *arguments):
        for callback in list(self.callbacks.get(event, [])):
            callback(*arguments)


class Shell:
    def __init__(self):
        self.user_ns = {"__name__": "__main__"}
        self.user_ns_hidden = {}
        self.events = Events()

    def run_code(self, code):
        exec(code, self.user_ns)

    def run_cell(self, text):
        info = types.SimpleNamespace(raw_cell=text, transformed_cell=text.lstrip("\n"), store_history=True, cell_id="")
        result = types.SimpleNamespace(info=info, execution_count=1, error_before_exec=None, error_in_exec=None)
        self.events.fire("pre_execute")
        self.events.fire("pre_run_cell", info)
        try:
            for node in ast.parse(info.transformed_cell).body:
                self.run_code(compile(ast.Module([node], []), "<cell>", "exec"))
        except Exception as fault:
            result.error_in_exec = fault
        self.events.fire("post_execute")
        self.events.fire("post_run_cell", result)


def tools():
    return [sys.monitoring.get_tool(tool) for tool in range(6)] if hasattr(sys, "monitoring") else []


task = json.load(sys.stdin)
for tool in task["taken"]:
    sys.monitoring.use_tool_id(tool, "another")
shell = Shell()
recorder = Recorder(shell, None)
recorder.install()
recorder.baseline()
during = tools()
seen = []
for cell in task["cells"]:
    shell.run_cell(cell)
    statement = recorder.executions[-1]["statements"][-1]
    seen.append({key: statement[key] for key in ("reached", "beyond", "changed", "started", "lines", "missed")})
recorder.remove()
events = [sys.monitoring.get_events(3)] if "nbdag" in tools() else []
print(json.dumps([seen, during, tools(), events, recorder.diagnostics]))
