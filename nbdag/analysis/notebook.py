"""Notebook files -> code cells: ``.ipynb`` of every format version, py:percent files, and by Jupytext what it reads.

nbformat is imported only when a file needs it: it takes a tenth of a second.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbdag.errors import NotebookError
from nbdag.model.findings import Diagnostic, Severity
from nbdag.model.notebook import Cell, Notebook

_PERCENT = re.compile(r"#[ \t]*%%(?P<rest>(?:[ \t\[].*)?)$")  # "# %%bash" is a magic
_TYPE = re.compile(r"\[(?P<type>markdown|md|raw|code)\]")
_MARKS = re.compile(r'tags=\[(?P<tags>[^\]]*)\]|id="(?P<id>[^"]*)"')
PYTHON = frozenset(("python", "python3", "python2", "ipython", "ipython3", "xpython", "xeus-python", "pyodide", "sage"))


def read_notebook(path: Path) -> Notebook:
    """The code cells of the notebook at ``path`` in the order they stand there.

    ``.ipynb`` files of format 3 and older are upgraded (with a diagnostic); cells without an id get one made of their
    position and text. ``.py`` files are read as py:percent, those of Jupytext's other
    formats and ``.md`` files by Jupytext, if it is installed. Raises ``NotebookError``, with one line that says what is
    wrong and a hint, for everything that is no Python notebook with code in it.
    """
    path = Path(path)
    text = _read_text(path)
    readers = {".py": _read_script, ".md": _read_by_jupytext, ".markdown": _read_by_jupytext}
    notebook = readers.get(path.suffix.lower(), _read_ipynb)(path, text)
    if not any(cell.source.strip() for cell in notebook.cells):
        raise NotebookError(f"{path}: the notebook has no code cells", "there is nothing to analyze")
    return notebook


# ------------------------------------------------------------------------------------------------ text


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotebookError(f"{path}: no such file", _similar(path)) from None
    except IsADirectoryError:
        raise NotebookError(f"{path}: is a directory, not a notebook", "name the .ipynb file in it") from None
    except NotADirectoryError:
        raise NotebookError(f"{path}: no such file", "a part of the path is a file") from None
    except PermissionError:
        raise NotebookError(f"{path}: no permission to read it", "check the file's owner and mode") from None
    except OSError as error:
        raise NotebookError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not content.strip():
        raise NotebookError(f"{path}: the file is empty", "save the notebook again")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or content[:4].count(0) >= 2:
        hint = f"iconv -f UTF-16 -t UTF-8 {path.name}"
        raise NotebookError(f"{path}: the file is UTF-16, a notebook must be UTF-8", hint)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotebookError(
            f"{path}: line {line}: byte 0x{content[error.start]:02x} is not UTF-8", "convert the file to UTF-8"
        ) from None


def _similar(path: Path) -> str:
    import difflib

    try:
        names = sorted(other.name for other in path.parent.iterdir() if other.suffix in (".ipynb", ".py", ".md"))
    except OSError:
        return "check the path"
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {close[0]}?" if close else "check the path"


# ------------------------------------------------------------------------------------------------ ipynb


def _read_ipynb(path: Path, text: str) -> Notebook:
    document = _json(path, text)
    diagnostics: list[Diagnostic] = []
    document = _upgraded(path, document, diagnostics)
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    kernel = metadata.get("kernelspec")
    kernel = kernel if isinstance(kernel, Mapping) else {}
    language = _language(metadata, kernel)
    if language.lower() not in PYTHON:
        name = kernel.get("display_name") or kernel.get("name") or "?"
        raise NotebookError(
            f"{path}: the notebook's language is {language} (kernel {name}), not Python",
            "nbdag moves sessions of Python kernels",
        )
    cells: list[Cell] = []
    seen: set[str] = set()
    for position, node in enumerate(_list(document, "cells")):
        if not isinstance(node, Mapping):
            raise NotebookError(f"{path}: cell {position} is not an object", "the file is damaged")
        if node.get("cell_type") != "code":
            continue
        source = _joined(node.get("source", ""))
        given = node.get("id")
        identity = given if isinstance(given, str) and given and given not in seen else _made_id(position, source)
        seen.add(identity)
        tags = node.get("metadata")
        tags = tags.get("tags") if isinstance(tags, Mapping) else None
        own = frozenset(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else frozenset()
        cells.append(Cell(len(cells), position, identity, source, own))
    return Notebook(str(path), tuple(cells), str(kernel.get("name", "")), "python", tuple(diagnostics))


def _json(path: Path, text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        start = text.lstrip()[:1]
        if start != "{":
            raise NotebookError(
                f"{path}: not JSON: line {error.lineno}, column {error.colno}: {error.msg}",
                "a notebook is a JSON file; a Python file needs the ending .py",
            ) from None
        if error.pos >= len(text.rstrip()) - 1 or "Unterminated string" in error.msg:
            raise NotebookError(
                f"{path}: the file is truncated: it ends at line {text.count(chr(10)) + 1} inside the JSON",
                "save the notebook again, or take .ipynb_checkpoints",
            ) from None
        raise NotebookError(
            f"{path}: not JSON: line {error.lineno}, column {error.colno}: {error.msg}",
            "the file is damaged; a merge conflict leaves such marks" if "<<<<<<<" in text else "the file is damaged",
        ) from None
    except RecursionError:
        raise NotebookError(f"{path}: not a notebook: JSON nested too deeply") from None
    if not isinstance(document, dict) or not ("cells" in document or "worksheets" in document):
        raise NotebookError(
            f"{path}: JSON, but not a notebook: it has no cells", "a notebook has the keys cells, metadata and nbformat"
        )
    return document


def _upgraded(path: Path, document: Mapping[str, Any], diagnostics: list[Diagnostic]) -> Mapping[str, Any]:
    """``document`` in format 4; of that, any minor version is read as it is."""
    version = document.get("nbformat", 4 if "cells" in document else 3)
    if not isinstance(version, int):
        raise NotebookError(f"{path}: not a notebook: nbformat is {version!r}, not a number")
    if version == 4:
        return document
    if version > 4:
        raise NotebookError(f"{path}: notebook format {version} is newer than nbdag knows (4)", "save it as format 4")
    import nbformat

    try:
        library: Any = nbformat
        upgraded: Mapping[str, Any] = library.convert(library.from_dict(document), 4)
    except Exception as error:  # nbformat raises whatever a damaged old notebook makes it raise
        raise NotebookError(f"{path}: a notebook of format {version} that cannot be upgraded: {error}") from None
    diagnostics.append(
        Diagnostic(
            "old-format", Severity.INFO, f"the notebook is of format {version}; it was read as format 4",
            hint="open and save it in Jupyter to upgrade the file",
        )
    )  # fmt: skip
    return upgraded


def _language(metadata: Mapping[str, Any], kernel: Mapping[str, Any]) -> str:
    info = metadata.get("language_info")
    for found in (
        info.get("name") if isinstance(info, Mapping) else None, kernel.get("language"), metadata.get("language")
    ):  # fmt: skip
        if isinstance(found, str) and found:
            return found
    return "python"


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key, [])
    return value if isinstance(value, list) else []


def _joined(source: object) -> str:
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def _made_id(position: int, source: str) -> str:
    """An id for a cell that has none: the same as long as it is in its place with its text."""
    return f"{position}-{hashlib.sha256(source.encode('utf-8', 'replace')).hexdigest()[:8]}"


# ------------------------------------------------------------------------------------------------ Jupytext


def _read_script(path: Path, text: str) -> Notebook:
    """A script: py:percent, unless its header says that Jupytext wrote it in another format (``light``, ``sphinx``)."""
    header = re.search(r"^#\s+format_name:\s*(\w+)", text[:2000], re.MULTILINE)
    if header is None or header[1] == "percent":
        return _read_percent(path, text)
    return _read_by_jupytext(path, text)


def _read_by_jupytext(path: Path, text: str) -> Notebook:
    """A text notebook of any format that Jupytext reads: Markdown, MyST, light scripts."""
    try:
        import jupytext
    except ImportError:
        raise NotebookError(
            f"{path}: reading this kind of notebook takes Jupytext, which is not installed",
            "pip install 'nbdag[jupytext]', or: jupytext --to ipynb " + path.name,
        ) from None
    library: Any = jupytext
    try:
        document = library.reads(text, fmt=path.suffix.lstrip("."))
    except Exception as error:  # Jupytext raises whatever its parsers raise
        raise NotebookError(f"{path}: Jupytext cannot read it: {' '.join(str(error).split())[:200]}") from None
    cells: list[Cell] = []
    for position, node in enumerate(document.cells):
        if node.cell_type == "code":
            tags = frozenset(tag for tag in node.metadata.get("tags", ()) if isinstance(tag, str))
            # Its ids are made anew at every reading: the place and the text stay.
            cells.append(Cell(len(cells), position, _made_id(position, node.source), node.source, tags))
    kernel = document.metadata.get("kernelspec", {})
    language = str(kernel.get("language") or document.metadata.get("jupytext", {}).get("main_language") or "python")
    if language.lower() not in PYTHON:
        raise NotebookError(f"{path}: the notebook's language is {language}, not Python")
    return Notebook(str(path), tuple(cells), str(kernel.get("name", "")))


# ------------------------------------------------------------------------------------------------ py:percent


def _read_percent(path: Path, text: str) -> Notebook:
    """Cells begin at lines ``# %%``; what stands before the first is a cell too, but Jupytext's header is not."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kernel, first = _header(lines)
    blocks: list[tuple[str, list[str]]] = [("", [])]
    for line in lines[first:]:
        match = _PERCENT.match(line)
        if match:
            blocks.append((match["rest"], []))
        else:
            blocks[-1][1].append(line)
    if not any(line.strip() for line in blocks[0][1]):
        del blocks[0]
    cells: list[Cell] = []
    for position, (title, body) in enumerate(blocks):
        kind = _TYPE.search(title)
        if kind and kind["type"] != "code":
            continue
        source = "\n".join(_uncommented(body)).strip("\n")
        identity, tags = "", frozenset[str]()
        for mark in _MARKS.finditer(title):
            identity = mark["id"] or identity
            if mark["tags"]:
                tags = frozenset(tag.strip(" \"'") for tag in mark["tags"].split(","))
        cells.append(Cell(len(cells), position, identity or _made_id(position, source), source, tags))
    return Notebook(str(path), tuple(cells), kernel)


def _header(lines: list[str]) -> tuple[str, int]:
    """The kernel name in Jupytext's YAML header, and the line behind it."""
    if not lines or lines[0].strip() != "# ---":
        return "", 0
    for number, line in enumerate(lines[1:], 1):
        if line.strip() == "# ---":
            names = [row.split(":", 1)[1].strip() for row in lines[:number] if re.match(r"#\s+name:", row)]
            return (names[-1] if names else ""), number + 1
        if not line.startswith("#"):
            break
    return "", 0


def _uncommented(body: list[str]) -> list[str]:
    """Jupytext writes magics as comments: ``# %matplotlib inline``, ``# !pip install x``, ``# %%bash`` cells."""
    first = next((line for line in body if line.strip()), "")
    if re.match(r"# ?%%\w", first):
        return [re.sub(r"^# ?", "", line) for line in body]
    return [re.sub(r"^(\s*)# ?(?=[%!](?:[A-Za-z]))", r"\1", line) for line in body]
