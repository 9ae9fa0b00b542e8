"""The documentation as a site: pages are there, the reference knows every command, every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"


def hooks() -> Any:
    spec = importlib.util.spec_from_file_location("site_hooks", DOCS / "site_hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_of_the_table_of_contents_is_there() -> None:
    named = set(re.findall(r"[\w/]+\.md", (CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert named - hooks().written_pages() - set(hooks().PAGES) == set()


def test_the_reference_has_every_command_with_its_options() -> None:
    import typer

    from nbdag.cli import app

    page = hooks().commands()
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        if not command.hidden:
            assert f"## nbdag {name}\n" in page
    assert "--with-credentials" in page and "--install-completion" in page


def test_the_reference_of_python_has_the_stages_and_the_errors() -> None:
    page = hooks().python()
    for heading in ("### analyze", "### compile_bundle", "### SessionGraph", "### IntegrityError"):
        assert f"{heading}\n" in page
    assert not re.search(r":\w+:`", page)


def test_the_reference_of_magics_has_each_of_them() -> None:
    from nbdag.magics.registry import COMMANDS

    page = hooks().magics()
    for command in COMMANDS:
        assert f"## %nbdag {command.name}\n" in page


def test_no_page_names_a_path_of_somebodys_machine() -> None:
    for path in DOCS.rglob("*.md"):
        assert not re.search(r"/(?:root|home/\w+|Users/\w+)/", path.read_text(encoding="utf-8")), path


@pytest.mark.slow
def test_the_site_is_built_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="pip install 'nbdag[docs]'")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "reference" / "commands" / "index.html").is_file()
