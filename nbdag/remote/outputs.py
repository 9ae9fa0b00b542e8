"""Shows here what a cell displays there, as it comes: streams, rich displays and their updates, results."""

from __future__ import annotations

import sys
from typing import Any

from nbdag.remote.wire import Message

INPUT_REFUSED = "StdinNotImplementedError"


class Relay:
    """Gives the messages of one cell to ``shell``. ``shown`` counts them; ``widgets`` tells whether some need a
    connection of their own to the kernel there, and are not shown.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self.shown = 0
        self.widgets = False

    def hear(self, message: Message) -> None:
        """Show one message."""
        content = message.content
        if message.kind == "stream":
            stream = sys.stderr if content.get("name") == "stderr" else sys.stdout
            stream.write(str(content.get("text", "")))
            stream.flush()
        elif message.kind in ("display_data", "update_display_data"):
            sys.stdout.flush()
            self._shell.display_pub.publish(
                data=content.get("data") or {},
                metadata=content.get("metadata") or {},
                transient=content.get("transient") or {},
                update=message.kind == "update_display_data",
            )
        elif message.kind == "execute_result":
            self._show_result(content)
        elif message.kind == "clear_output":
            self._shell.display_pub.clear_output(wait=bool(content.get("wait")))
        elif message.kind.startswith("comm_"):
            self.widgets = True
            return
        else:
            return
        self.shown += 1

    def _show_result(self, content: dict[str, Any]) -> None:
        """What the last expression gave, under this cell's own number."""
        sys.stdout.flush()
        hook = self._shell.displayhook
        hook.start_displayhook()
        hook.write_output_prompt()
        hook.write_format_data(content.get("data") or {}, content.get("metadata") or {})
        hook.finish_displayhook()


class RemoteCellError(Exception):
    """A cell raised there. IPython shows the traceback from there instead of one from here."""

    remote_traceback: tuple[str, ...] = ()

    def _render_traceback_(self) -> list[str]:
        return list(self.remote_traceback)


class RemoteInterrupt(KeyboardInterrupt):
    """A cell was interrupted there, because of an interrupt here."""

    remote_traceback: tuple[str, ...] = ()

    def _render_traceback_(self) -> list[str]:
        return list(self.remote_traceback)


def cell_error(name: str, value: str, lines: tuple[str, ...]) -> BaseException:
    """An exception that looks in the notebook like the one there: same name, same words, same traceback."""
    base: type[BaseException] = RemoteInterrupt if name == "KeyboardInterrupt" else RemoteCellError
    kind: Any = type(name if name.isidentifier() else "RemoteCellError", (base,), {"__module__": __name__})
    made: BaseException = kind(value)
    vars(made)["remote_traceback"] = lines or (f"{name}: {value}",)
    return made
