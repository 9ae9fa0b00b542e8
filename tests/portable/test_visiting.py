"""The side of a migration where the cell runs, in this process."""

from __future__ import annotations

import hashlib
import shutil
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nbdag.portable import visiting
from nbdag.portable.parcel import ParcelWriter
from nbdag.portable.visiting import visit_command, visit_of


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.SimpleNamespace]:
    shell = types.SimpleNamespace(user_ns={"__name__": "__main__"}, user_ns_hidden={})
    monkeypatch.setattr(visiting, "running_shell", lambda: shell)
    visit_of(shell).directory = str(tmp_path)
    yield shell
    shutil.rmtree(visit_of(shell).store)


def test_a_parcel_that_failed_is_read_again_when_it_is_asked_for_again(
    shell: types.SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was lost on the way: its files must be there still, or they would be waited for."""

    def at_once(paths: Sequence[str], sizes: Sequence[int]) -> Iterator[bytes]:
        return (Path(path).read_bytes() for path in paths)

    monkeypatch.setattr(visiting, "awaited_parts", at_once)

    def put(number: int, content: bytes) -> None:
        (tmp_path / f"r.{number}").write_bytes(content)

    writer = ParcelWriter(put, 1 << 20)
    size = writer.write({"names": []}, str(tmp_path), [], 1e6)["size"]
    wrong = hashlib.sha256(b"of something else").hexdigest()
    asked = {"request": "r", "parts": ["r.0"], "sizes": [size], "sha256": wrong, "settled": {}}
    first = visit_command("receive", asked)
    assert "damaged" in first
    assert visit_command("receive", asked) == first
    assert visit_command("receive", {**asked, "request": "s", "parts": []}) != first
    assert not (tmp_path / "r.0").exists()
