"""Machines are kept in a file without secrets."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from nbdag.errors import EnvironmentRefused, UsageError
from nbdag.remote import config
from nbdag.remote.config import (
    keep_target,
    keep_token,
    new_target,
    read_targets,
    remove_target,
    target_called,
    token_of,
)
from nbdag.remote.model import Target
from nbdag.remote.rest import scrubbed, split_token


@pytest.mark.parametrize(
    ("url", "plain", "token"),
    [
        ("http://host:8888", "http://host:8888", ""),
        ("host:8888/", "http://host:8888", ""),
        ("http://host:8888/lab?token=abc", "http://host:8888", "abc"),
        ("https://hub.example.org/user/ann/lab/tree/x.ipynb?token=abc&x=1", "https://hub.example.org/user/ann", "abc"),
        ("http://ann:secret@host:8888/tree", "http://host:8888", ""),
    ],
)
def test_an_address_is_kept_without_its_secrets(url: str, plain: str, token: str) -> None:
    assert split_token(url) == (plain, token)


@pytest.mark.parametrize("url", ["ftp://host", "http://", "mailto:someone", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not the URL"):
        split_token(url)


@pytest.mark.parametrize(
    "text",
    [
        "GET /api?token=abc123 failed",
        "https://ann:abc123@host/x",
        "url: /files?a=1&token=abc123&b=2",
        "{'access_token=abc123'}",
    ],
)
def test_messages_are_scrubbed(text: str) -> None:
    assert "abc123" not in scrubbed(text)


def test_what_is_kept_is_read_again(scratch: Path) -> None:
    gpu = Target("gpu", "http://host:1", token_env="GPU_TOKEN", kernel="py")
    keep_target(gpu)
    keep_target(Target("farm", "tcp://host:2"))
    assert read_targets() == {"gpu": gpu, "farm": Target("farm", "tcp://host:2")}
    assert target_called("gpu") == gpu
    assert remove_target("gpu") == gpu and set(read_targets()) == {"farm"}
    with pytest.raises(UsageError, match="gpu") as unknown:
        target_called("gpu")
    assert "farm" in unknown.value.hint


def test_a_damaged_file_is_named(scratch: Path) -> None:
    keep_target(Target("gpu", "http://host:1"))
    config.config_file().write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match=r"remotes\.json"):
        read_targets()


@pytest.mark.parametrize(
    ("name", "url", "env"), [("1x", "http://h", ""), ("a b", "http://h", ""), ("gpu", "http://h", "s3cr-t!")]
)
def test_bad_names_are_refused(name: str, url: str, env: str) -> None:
    with pytest.raises(UsageError):
        new_target(name, url, env)


def test_the_token_comes_from_the_environment() -> None:
    gpu = Target("gpu", "http://host:1", token_env="GPU_TOKEN")
    assert token_of(gpu, {"GPU_TOKEN": "abc"}) == "abc"
    with pytest.raises(UsageError, match="GPU_TOKEN"):
        token_of(gpu, {})


def test_or_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    ring: dict[tuple[str, str], str] = {}
    fake = types.ModuleType("keyring")
    fake.get_password = lambda service, name: ring.get((service, name))  # type: ignore[attr-defined]
    fake.set_password = lambda service, name, value: ring.update({(service, name): value})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", fake)
    gpu = Target("gpu", "http://host:1")
    assert token_of(gpu, {}) == ""
    keep_token(gpu, "abc")
    assert token_of(gpu, {}) == "abc"


def test_without_a_keyring_a_token_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(EnvironmentRefused, match="not kept"):
        keep_token(Target("gpu", "http://host:1"), "abc")
