"""The targets that the user has named, in a file without secrets; and where their tokens come from."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from nbdag.errors import EnvironmentRefused, UsageError
from nbdag.remote.model import Target
from nbdag.remote.rest import scrubbed, split_token

CONFIG_VARIABLE = "NBDAG_CONFIG_DIR"
_SERVICE = "nbdag"
_NAME = re.compile(r"[A-Za-z][\w.-]*\Z")


def config_file() -> Path:
    """Where the targets are kept."""
    folder = os.environ.get(CONFIG_VARIABLE)
    if folder:
        return Path(folder) / "remotes.json"
    import platformdirs

    return Path(platformdirs.user_config_dir("nbdag", appauthor=False)) / "remotes.json"


def read_targets() -> dict[str, Target]:
    """The targets by name. Raises UsageError where the file is damaged."""
    path = config_file()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name for field in fields(Target)}
        return {
            str(name): Target(
                **{"name": str(name), **{key: str(entry[key]) for key in entry if key in known - {"name"}}}
            )
            for name, entry in document["remotes"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise UsageError(f"{path} cannot be read: {fault}", "mend it, or remove it and add the targets again") from None


def target_called(name: str) -> Target:
    """The target of this name. Raises UsageError with the names there are."""
    targets = read_targets()
    if name not in targets:
        known = ", ".join(sorted(targets))
        raise UsageError(
            f"no remote is called {name}",
            f"there are: {known}" if known else "add one: %nbdag remote add NAME http://HOST:PORT --token-env VARIABLE",
        )
    return targets[name]


def new_target(name: str, url: str, token_env: str = "", kernel: str = "", store: str = "") -> tuple[Target, str]:
    """A target as it is to be kept, and the token that was in the URL ("" if none). Raises UsageError."""
    if not _NAME.match(name):
        raise UsageError(f"{name!r} is no name for a remote", "letters, digits, . _ -, a letter first")
    if token_env and not re.match(r"[A-Za-z_]\w*\Z", token_env):
        raise UsageError("--token-env takes the name of an environment variable, not a token")
    scheme = url.partition("://")[0]
    if scheme in ("tcp", "tls"):
        return Target(name, url.rstrip("/"), token_env, kernel, scrubbed(store)), ""
    plain, token = split_token(url)
    return Target(name, plain, token_env, kernel, scrubbed(store)), token


def keep_target(target: Target) -> None:
    """Add or replace a target in the file."""
    targets = read_targets()
    targets[target.name] = target
    _write(targets)


def remove_target(name: str) -> Target:
    """Forget a target and its token in the keyring. Raises UsageError where there is none."""
    found = target_called(name)
    targets = read_targets()
    del targets[name]
    _write(targets)
    keyring = _keyring()
    if keyring is not None:
        with contextlib.suppress(Exception):  # each backend has its own way to say that there is none
            keyring.delete_password(_SERVICE, found.url)
    return found


def token_of(target: Target, environment: Mapping[str, str] | None = None) -> str:
    """The token for a target, "" where none is known. Raises UsageError where its variable is not set."""
    variables = os.environ if environment is None else environment
    if target.token_env:
        token = variables.get(target.token_env, "")
        if not token:
            raise UsageError(
                f"{target.name} takes its token from the environment variable {target.token_env}, which is not set",
                f"set it where Jupyter is started, or in a cell: os.environ[{target.token_env!r}] = getpass.getpass()",
            )
        return token
    keyring = _keyring()
    if keyring is None:
        return ""
    try:
        return str(keyring.get_password(_SERVICE, target.url) or "")
    except Exception:  # a keyring that is locked or has no backend is none
        return ""


def keep_token(target: Target, token: str) -> None:
    """Put a token into the keyring. Raises EnvironmentRefused where there is none."""
    keyring = _keyring()
    refused = EnvironmentRefused(
        "the URL holds a token, and there is no keyring to put it into: it is not kept",
        "put it into an environment variable and name that: --token-env VARIABLE (or: pip install 'nbdag[keyring]')",
    )
    if keyring is None:
        raise refused
    try:
        keyring.set_password(_SERVICE, target.url, token)
    except Exception:
        raise refused from None


def _keyring() -> Any:
    try:
        import keyring  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        return None
    return keyring


def _write(targets: Mapping[str, Target]) -> None:
    path = config_file()
    document = {
        "remotes": {
            name: {key: value for key, value in asdict(targets[name]).items() if value and key != "name"}
            for name in sorted(targets)
        }
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".remotes-", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
        os.replace(temporary, path)
    except OSError as fault:
        raise UsageError(f"{path} cannot be written: {fault.strerror}") from None
