"""What is said about a cell that has run there: notes for the user, and what it raised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nbdag.errors import RemoteError
from nbdag.remote.channels import Reply
from nbdag.remote.outputs import INPUT_REFUSED, Relay, cell_error
from nbdag.remote.there import There

_NOT_DEFINED = re.compile(r"name '([^']+)' is not defined")


def refuse_unforeseen(reply: Reply, here: Mapping[str, Any], sent: tuple[str, ...]) -> None:
    """Raise RemoteError where the cell failed for want of a variable that is here and was not sent."""
    found = _NOT_DEFINED.search(reply.error_value) if reply.error_name == "NameError" else None
    if found and found[1] in here and found[1] not in sent:
        raise RemoteError(
            f"the cell reads {found[1]} in a way that its text does not show; the session is as it was",
            "%%nbdag on NAME --whole sends everything",
        )


def refuse_lost(manifest: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Raise RemoteError where the cell changed a variable of here that cannot come back."""
    reasons = {why for name, why in manifest["staying"].items() if name in here and name not in manifest["unsure"]}
    if reasons:
        raise RemoteError(
            f"the cell changed what cannot come back: {'; '.join(sorted(reasons))}; the session is as it was before",
            "run it here",
        )


def notes_of(
    there: There, manifest: Mapping[str, Any], here: Mapping[str, Any], relay: Relay, reply: Reply
) -> list[str]:
    """What else happened there and does not show in the variables."""
    notes = list(manifest["elsewhere"])
    for name, why in sorted(manifest["staying"].items()):
        if name in here:
            notes.append(f"{name} was used there and cannot come back: here it is as it was ({why})")
        else:
            notes.append(f"{name} stays on {there.target.name}: {why}")
    for name, other in manifest["parted"]:
        notes.append(
            f"{name} shares state with {other} there; as {other} stays there, changes of one do not reach the other"
        )
    for file in manifest["files"]:
        notes.append(f"{file['path']} was written on {there.target.name}, not here: {file['absolute']}")
    if manifest["result_lost"]:
        notes.append("the displayed value cannot come back: _ and Out are without it")
    if relay.widgets:
        notes.append("widgets do not work in a cell that runs elsewhere")
    if reply.error_name == INPUT_REFUSED:
        notes.append("a cell that runs elsewhere cannot ask for input(): ask in a cell here, and use the answer there")
    if reply.error_name == "FileNotFoundError":
        notes.append(
            f"{there.target.name} has files of its own; the working directory there was {there.about['cwd']}:"
            " read the file in a cell here, and use there what was read"
        )
    return notes


def error_of(reply: Reply, manifest: Mapping[str, Any]) -> BaseException | None:
    """What the cell raised there, to be raised here; None if it did not."""
    if reply.status == "error":
        return cell_error(reply.error_name, reply.error_value, reply.traceback)
    if reply.status != "unknown" or manifest["outcome"] == "ok":
        return None
    name, _, value = str(manifest["fault"]).partition(": ")
    return cell_error(name or "Error", value, ())
