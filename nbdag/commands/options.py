"""The options that several commands take."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from nbdag.commands.completing import complete_kernel_name, complete_notebook
from nbdag.errors import UsageError

STATE_DIRECTORY = Path(".nbdag")


class Format(str, Enum):
    """How a result is written."""

    text = "text"
    json = "json"


class Color(str, Enum):
    """When a report is coloured."""

    auto = "auto"
    always = "always"
    never = "never"


class Objective(str, Enum):
    """What a plan minimises."""

    migrate = "migrate"
    restore = "restore"
    size = "size"


class Compression(str, Enum):
    """How blobs are packed."""

    auto = "auto"
    none = "none"
    zlib = "zlib"
    zstd = "zstd"


Names = list[str] | None
StoreOption = Annotated[Names, typer.Option("--store", metavar="NAME", help="Store it, do not replay.")]
ReplayOption = Annotated[Names, typer.Option("--replay", metavar="NAME", help="Replay it, do not store.")]
CredentialsOption = Annotated[
    bool, typer.Option("--with-credentials", help="Take along what looks like a password, token or key.")
]
ExcludeOption = Annotated[Names, typer.Option("--exclude", metavar="NAME", help="Leave it behind.")]
OnlyOption = Annotated[Names, typer.Option("--only", metavar="NAME", help="Take only what is named.")]
ObjectiveOption = Annotated[
    Objective, typer.Option("--objective", help="Minimise write and load time, load time, or bytes.")
]
BandwidthOption = Annotated[
    str,
    typer.Option("--bandwidth", metavar="auto|50MB/s", help="Speed to the destination; auto: measure the disk."),
]
MaxSizeOption = Annotated[
    str, typer.Option("--max-size", metavar="2GB", help="Let the bundle take no more; replay what has no room.")
]
CompressionOption = Annotated[
    Compression, typer.Option("--compression", help="How large data is packed; auto: zlib, where the link is slow.")
]
StoreDirectoryOption = Annotated[
    Path | None,
    typer.Option("--store-dir", metavar="DIR", help="Keep large data there, once for all bundles that have it."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but results and errors.")]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say every step.")]
BarOption = Annotated[bool, typer.Option("--progress-bar/--no-progress-bar", help="Draw a bar on a terminal.")]
ColorOption = Annotated[Color, typer.Option("--color", help="Colour the report.")]
FormatOption = Annotated[Format, typer.Option("--format", help="What to print; docs/schema.md describes the JSON.")]
AllowErrors = Annotated[bool, typer.Option("--allow-errors", help="Go on after a cell that raises.")]
SessionArgument = Annotated[
    Path | None,
    typer.Argument(
        help="Its session; without it, the one last analyzed here. With --kernel: where its cells are.",
        autocompletion=complete_notebook,
    ),
]
KernelOption = Annotated[
    str,
    typer.Option(
        "--kernel", metavar="ID|FILE", help="A live kernel instead, by its id (nbdag kernels) or connection file."
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the result there instead of stdout.")
]

ServerOption = Annotated[
    str, typer.Option("--server", metavar="URL", help="Ask this Jupyter server, too; `jupyter server list` shows URLs.")
]
TokenOption = Annotated[
    str, typer.Option("--token-env", metavar="VARIABLE", help="The environment variable that holds its token.")
]
TimeoutOption = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0.0, help="Wait no longer for a kernel that is busy with a cell."),
]


def token_of(variable: str) -> str:
    """The token in the environment variable of this name, "" without a name. Raises UsageError where it is not set."""
    if not variable:
        return ""
    token = os.environ.get(variable, "")
    if not token:
        raise UsageError(f"--token-env {variable}: there is no such environment variable", f"export {variable}=...")
    return token


KernelNameOption = Annotated[
    str,
    typer.Option(
        "--kernel-name",
        "-k",
        metavar="NAME",
        help="The kernelspec to run it with.",
        autocompletion=complete_kernel_name,
    ),
]
CellTimeoutOption = Annotated[
    float | None,
    typer.Option("--cell-timeout", metavar="SECONDS", min=0.001, help="Interrupt a cell that takes longer."),
]


def connection_file_of(kernel: str) -> Path | None:
    """The connection file that ``--kernel`` means: a path, or the id of a kernel that runs here; None for "".

    Raises UsageError.
    """
    if not kernel:
        return None
    path = Path(kernel).expanduser()
    if path.exists() or path.suffix == ".json" or "/" in kernel:
        return path
    from nbdag.analysis.targets import find_target

    found = find_target(kernel, state_directory=STATE_DIRECTORY).connection_file
    if found is None:
        raise UsageError(f"kernel {kernel} runs on another machine", "nbdag has to run where its connection file is")
    return found
