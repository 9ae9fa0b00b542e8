"""A session's past: what ran, what ``In`` and ``Out`` held; it travels, and goes on where it stopped.

In a bundle it is one packed table (docs/format.md). ``restore.py`` puts inputs, outputs and the counter back into an
IPython that has none of its own, and leaves the executions on the shell. A recorder that starts later takes them over:
then the session can be planned and compiled as if it had never moved.

    restore.py    continue_history               In, Out, counter; the rest waits on the shell
    %load_ext     adopt_history (adoption.py)    executions, definitions, what must not be trusted
"""

from __future__ import annotations

import sys
from typing import Any, Dict, Iterator, List, Optional, Sequence

from nbdag.portable.bundlefile import BundleDamaged, check_blob
from nbdag.portable.directories import current_directory
from nbdag.portable.msgpack import unpack
from nbdag.portable.namespace import KERNEL_NAMES, is_numbered_history

RESTORED_ATTRIBUTE = "_nbdag_restored"  # on the shell: what the recorder finds when it comes
BROUGHT_ATTRIBUTE = "_nbdag_brought"  # on the shell: what bundles did to a process that had a session
AGENT_MODULES = ("nbdag_agent", "nbdag.portable.agent")  # sent into a kernel, or imported by %load_ext
OUTPUTS_BEHIND = 3  # _, __ and ___


def read_history(place: Any, data: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """The history of a bundle, None where it has none. Raises BundleDamaged."""
    import zlib

    part = data.get("history")
    if not part:
        return None
    if isinstance(part, dict):
        digest = part.get("blob", "")
        if digest not in data["blobs"]:
            raise BundleDamaged("data.msgpack names a blob that it does not have")
        check_blob(place, digest)
        path, offset, size = place.blob(digest)
        with open(path, "rb") as file:
            file.seek(offset)
            part = file.read(size)
    try:
        import zlib

        found = unpack(zlib.decompress(part))
    except Exception as error:
        raise BundleDamaged("the history cannot be read: %s" % error) from None
    return found if isinstance(found, dict) else None


# ------------------------------------------------------------------------------------------------ in restore.py


def shell_of(namespace: Dict[str, Any]) -> Any:
    """The IPython whose variables ``namespace`` is, None where it is no IPython's."""
    ipython: Any = sys.modules.get("IPython")
    shell = getattr(ipython, "get_ipython", lambda: None)() if ipython is not None else None
    return shell if shell is not None and getattr(shell, "user_ns", None) is namespace else None


def begins_here(shell: Any) -> bool:
    """Whether nothing has been typed into this IPython before, but for the line that is running now."""
    inputs = getattr(getattr(shell, "history_manager", None), "input_hist_raw", None)
    return isinstance(inputs, list) and len(inputs) <= 2 and getattr(shell, "execution_count", 3) <= 2


class Arrival:
    """What a namespace and its shell were like before a bundle was restored into them; ``shell`` None: no IPython."""

    def __init__(self, namespace: Dict[str, Any]) -> None:
        self.shell = shell_of(namespace)
        self.cwd = current_directory()
        if self.shell is not None:
            hidden = getattr(self.shell, "user_ns_hidden", None) or {}
            self.alone = all(name in hidden or is_given(name) for name in namespace)
            self.fresh = self.alone and begins_here(self.shell)


def is_given(name: Any) -> bool:
    """Whether a name of a namespace is IPython's, or a bundle's own, and not the user's."""
    return name in KERNEL_NAMES or name.startswith(("__", "_nbdag_")) or is_numbered_history(name)


def continue_history(
    arrival: Arrival, place: Any, data: Dict[str, Any], doubtful: Sequence[str], codes: Sequence[str] = ()
) -> List[str]:
    """Put ``In``, ``Out`` and the counter back where the session is fresh, and hand the rest to a recorder; what went
    wrong with that, in words.

    ``doubtful`` are names whose values need not be what the history says of them. A session that had variables before
    keeps its own past: which of its values the history means, nobody can tell. What changed in its process, and the
    ``codes`` that were run, are left on the shell for a recorder.
    """
    if arrival.shell is None:
        return []
    try:
        if not arrival.alone:
            brought = {"changes": data.get("process_state") or {}, "codes": list(codes)}
            vars(arrival.shell).setdefault(BROUGHT_ATTRIBUTE, []).append(brought)
            tell_recorders()
            return []
        history = read_history(place, data)
        if history is not None:
            hand_over(arrival, place, data, history, doubtful)
    except Exception as error:  # the variables are there, and IPython's insides are not ours
        return ["the history of the session did not come along: %s: %s" % (type(error).__name__, error)]
    return []


def hand_over(
    arrival: Arrival, place: Any, data: Dict[str, Any], history: Dict[str, Any], doubtful: Sequence[str]
) -> None:
    """Do it."""
    shell = arrival.shell
    inputs = shell.history_manager.input_hist_raw
    running = len(inputs) > 1  # a kernel that starts has none; what was typed before a session was there is one cell
    if arrival.fresh:
        put_inputs_back(shell, history)
        put_outputs_back(shell, history)
    silent = [0]

    def note(*_: Any) -> None:
        silent[0] += 1

    shell.events.register("pre_execute", note)
    history["altered"] = sorted({*history.get("altered", ()), *doubtful})
    vars(shell)[RESTORED_ATTRIBUTE] = {
        "history": history,
        "changes": data.get("process_state") or {},
        "folder": place.folder(),
        "cwd": arrival.cwd,
        "fresh": arrival.fresh,
        "count": len(inputs) - 1 if running else len(inputs),  # of the cell that restores, or of the first to come
        "running": running,
        "silent": silent,
        "note": note,
    }
    tell_recorders()


def tell_recorders() -> None:
    """A recorder that is at work takes over what was left on the shell."""
    for name in AGENT_MODULES:
        agent = sys.modules.get(name)
        if agent is not None and hasattr(agent, "command"):
            agent.command("adopt", {})


def put_inputs_back(shell: Any, history: Dict[str, Any]) -> None:
    """``In``, ``_i``, ``_i5`` and the number of the next cell. A cell that runs now becomes the last of them."""
    manager = shell.history_manager
    typed = manager.input_hist_raw[1:]
    ahead = shell.execution_count - len(typed)  # IPython 9 counts when a cell begins, earlier ones when it ends
    texts = dict(inputs_of(history))
    count = max([*texts, int(history.get("count", 1)) - 1, 0])
    raw = [texts.get(number, "") for number in range(count + 1)]
    raw += typed
    parsed = []
    for text in raw:
        try:
            parsed.append(str(shell.transform_cell(text)).rstrip("\n") if text else "")
        except Exception:
            parsed.append(text)
    manager.input_hist_raw[:] = raw
    manager.input_hist_parsed[:] = parsed  # In and _ih are this list
    shell.execution_count = len(raw) - 1 + ahead
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        kernel.execution_count = len(raw) - 1  # a count of its own, of cells that have begun: front ends show it
    names = {"_i%d" % number: text for number, text in enumerate(raw) if text}
    said = [text for text in reversed(raw[: count + 1]) if text]
    last, before, before_that = (said + [""] * OUTPUTS_BEHIND)[:OUTPUTS_BEHIND]
    names.update({"_i": last, "_ii": before, "_iii": before_that})
    manager._i00, manager._i, manager._ii = last, before, before_that
    shell.push(names, interactive=False)


def put_outputs_back(shell: Any, history: Dict[str, Any]) -> None:
    """``Out``, ``_5`` and ``_``: those that are variables of the session, and those that are plain small values."""
    import ast

    outputs: Dict[int, Any] = {}
    for number, kind, text in history.get("outputs", ()):
        if kind == "name" and text in shell.user_ns:
            outputs[number] = shell.user_ns[text]
        elif kind == "value":
            outputs[number] = ast.literal_eval(text)
    if not outputs:
        return
    shell.history_manager.output_hist.update(outputs)
    shell.push({"_%d" % number: value for number, value in outputs.items()}, interactive=False)
    hook = shell.displayhook
    for behind, number in enumerate(sorted(outputs, reverse=True)[:OUTPUTS_BEHIND], 1):
        setattr(hook, "_" * behind, outputs[number])
        shell.user_ns["_" * behind] = outputs[number]


def inputs_of(history: Dict[str, Any]) -> Iterator[Any]:
    """(number, text) of everything in ``In``."""
    for record in history.get("executions", ()):
        if record.get("count") is not None and not record.get("silent"):
            yield record["count"], record["source"]
    for number, text in history.get("inputs", ()):
        yield number, text
