"""What ``mkdocs build`` makes of the code: the reference, and the pages that live at the root of the checkout.

Nothing of it is kept as a file: it cannot be out of date. The functions ``on_...`` are called by mkdocs.
"""

from __future__ import annotations

import importlib
import inspect
import io
import re
import textwrap
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("notebook", "facts", "trace", "graph", "plan", "bundle", "results", "findings")
MODEL = tuple(f"nbdag.model.{stage}" for stage in STAGES)  # in the order in which values are made


def on_config(config: Any) -> Any:
    """Pages that have no place of their own in mkdocs.yml stand behind the others on how it works."""
    section = next(entry["How it works"] for entry in config.nav if isinstance(entry, dict) and "How it works" in entry)
    named = set(re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    section += [page for page in sorted(written_pages()) if page not in named]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to those of docs/."""
    from mkdocs.structure.files import File

    for path, make in PAGES.items():
        files.append(File.generated(config, path, content=make()))
    return files


def written_pages() -> set[str]:
    """The pages that are files, as paths below docs/."""
    docs = ROOT / "docs"
    return {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}


def commands() -> str:
    """Every command with its help, as the terminal shows it."""
    import typer

    from nbdag.cli import app

    group: Any = typer.main.get_command(app)
    parts = [
        "# The command line",
        "Results go to stdout, everything else to stderr; [the exit statuses](../errors.md) say what happened. "
        "`nbdag --install-completion` teaches bash, zsh or fish what comes next when you press TAB.",
        _block(_help(group, "nbdag")),
    ]
    for name, command in group.commands.items():
        if not command.hidden:
            parts += [f"## nbdag {name}", _block(_help(command, f"nbdag {name}"))]
            for below, one in getattr(command, "commands", {}).items():
                parts += [f"### nbdag {name} {below}", _block(_help(one, f"nbdag {name} {below}"))]
    return "\n\n".join(parts) + "\n"


def restore_script() -> str:
    """The options of restore.py."""
    from nbdag.portable.arguments import parse_arguments

    said = io.StringIO()
    with redirect_stdout(said):
        parse_arguments(["--help"])
    return (
        "# restore.py\n\nThe script in every bundle: standard library only, CPython 3.8 and later, and PyPy. "
        "[What is in a bundle](../format.md).\n\n" + _block(said.getvalue())
    )


def magics() -> str:
    """What ``%load_ext nbdag`` brings."""
    from nbdag.magics.registry import COMMANDS

    parts = [
        "# Magics",
        "`%load_ext nbdag` in a notebook records the kernel from then on and brings `%nbdag`. `%nbdag help` lists the "
        "commands, `%nbdag COMMAND --help` shows the options, and TAB completes both. `%unload_ext nbdag` ends it.",
    ]
    for command in COMMANDS:
        parts += [f"## %nbdag {command.name}", _block(command.parser().format_help())]
    return "\n\n".join(parts) + "\n"


def python() -> str:
    """The functions and values a program may use, from their docstrings."""
    import nbdag.errors
    from nbdag import pipeline

    parts = [
        "# From Python",
        "`nbdag.pipeline` has one function per stage; the values they give are frozen dataclasses of `nbdag.model`. "
        "What goes wrong is a class of `nbdag.errors`. Version 0.x: names may still change, the changelog says so.",
        "## Stages",
    ]
    for name, function in inspect.getmembers(pipeline, inspect.isfunction):
        if function.__module__ == pipeline.__name__ and not name.startswith("_"):
            parts += [f"### {name}", _code(f"{name}{_signature(function)}"), _text(function)]
    for module in map(importlib.import_module, MODEL):
        parts += [f"## Values: `{module.__name__}`", _text(module)]
        for name, kind in _classes(module):
            parts += [f"### {name}", _text(kind)]
            fields = getattr(kind, "__dataclass_fields__", {})
            if fields:
                parts.append("\n".join(f"- `{field.name}: {field.type}`" for field in fields.values()))
    parts.append("## Errors")
    for name, kind in _classes(nbdag.errors):
        status = f" Exit status {kind.exit_status}, code `{kind.code}`." if hasattr(kind, "code") else ""
        parts += [f"### {name}", _text(kind) + status]
    return "\n\n".join(part for part in parts if part) + "\n"


def root_page(name: str) -> str:
    """A page of the checkout's root, with links as seen from docs/."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.sub(r"\]\(docs/", "](", text)


PAGES = {
    "reference/commands.md": commands,
    "reference/restore.md": restore_script,
    "reference/magics.md": magics,
    "reference/python.md": python,
    "contributing.md": lambda: root_page("CONTRIBUTING.md"),
    "changelog.md": lambda: root_page("CHANGELOG.md"),
}


def _help(command: Any, path: str) -> str:
    *above, name = path.split()
    context = command.make_context(path if above else name, ["--help"], resilient_parsing=True)
    context.max_content_width = context.terminal_width = 100
    return str(command.get_help(context))


def _classes(module: Any) -> list[tuple[str, Any]]:
    found = [
        (name, one) for name, one in vars(module).items() if inspect.isclass(one) and one.__module__ == module.__name__
    ]
    return [(name, one) for name, one in found if not name.startswith("_")]


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = ",\n    ".join(_parameter(one) for one in signature.parameters.values())
    return f"(\n    {parameters},\n) -> {signature.return_annotation}"


def _parameter(parameter: inspect.Parameter) -> str:
    text = f"{parameter.name}: {parameter.annotation}"
    if parameter.default is inspect.Parameter.empty:
        return text
    # The repr of an object has its address in it, and Path() those of the machine that builds the page.
    plain = parameter.default is None or isinstance(parameter.default, (bool, int, float, str, tuple, frozenset))
    default = repr(parameter.default) if plain else f'Path("{parameter.default}")'
    return f"{text} = {default if plain or isinstance(parameter.default, Path) else '...'}"


def _text(thing: Any) -> str:
    # Sphinx's way to write code, in Markdown.
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", inspect.cleandoc(thing.__doc__ or ""))
    return text.replace("``", "`")


def _block(text: str) -> str:
    return "```text\n" + textwrap.dedent(text).strip("\n") + "\n```"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"
