"""What is taken for a credential and what is not. The examples are made up; none opens anything."""

from __future__ import annotations

import random
import string
import uuid
from typing import Any

import pytest

from nbdag.portable.credentials import (
    MOST_LOOKS,
    known_form,
    known_form_in_bytes,
    looks_drawn,
    looks_like_credential,
    texts_of,
)

LETTERS = "q7Zk2Lm9Xw4Rt8Vb1Nc6Yd3Fg5Hj0PsAeUiOq7Zk2Lm9Xw4Rt8Vb1Nc6Yd3Fg5Hj0Ps"
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def made(prefix: str, length: int) -> str:
    return prefix + LETTERS[:length]  # put together here, so that no scanner takes this file for a leak


CREDENTIALS: dict[str, tuple[str, Any]] = {
    "an access key under any name": ("x", "AKIA" + "Q7ZK2LM9XW4RT8VB"),
    "a GitHub token": ("x", made("ghp_", 36)),
    "a fine-grained GitHub token": ("x", made("github_pat_", 40)),
    "a key that begins with sk-": ("client_setup", made("sk-", 40)),
    "a Google key": ("x", made("AIza", 35)),
    "a Hugging Face token inside a sentence": ("note", "use " + made("hf_", 34) + " for the model"),
    "a Slack token": ("x", "xoxb-" + "123456789012-abcdefghij"),
    "a JSON web token": ("x", made("eyJ", 20) + "." + made("eyJ", 30) + "." + LETTERS[:20]),
    "a private key": ("pem", "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIE\n"),
    "a URL with a password": ("engine_url", "postgresql://me:" + "hunter22@db.example.org/wine"),
    "any password": ("db_password", "hunter2"),
    "a password in capitals": ("PASSWORD", "x"),
    "a secret in camel case": ("clientSecret", "abc"),
    "a password in bytes": ("password", b"hunter2"),
    "a random token": ("token", HEX),
    "a random key": ("API_KEY", LETTERS[:32]),
    "a password in a dictionary": ("config", {"host": "db", "password": "hunter2"}),
    "a password deep in a configuration": ("config", {"db": {"main": {"password": "hunter2"}}}),
    "a token in a list": ("found", ["a", made("ghp_", 36)]),
    "a Slack webhook": ("x", "https://hooks.slack.com/services/" + "T0AB/B0CD/" + LETTERS[:24]),
    "a Docker Hub token": ("x", made("dckr_pat_", 27)),
    "a PGP key": ("x", "-----BEGIN PGP PRIVATE " + "KEY BLOCK-----\n"),
    "what was drawn, under any name": ("openai", LETTERS[:40]),
    "what was drawn, in base64": ("fernet", "Zk9Qw3+vT1/bXy7LmN0pRs4uVd8eHc2GjAqIo5UfKtE="),
    "what was drawn, among other settings": ("config", {"host": "db", "signing": LETTERS[:48]}),
}

NONE: dict[str, tuple[str, Any]] = {
    "a word of a text": ("token", "the"),
    "the tokens of a text": ("tokens", ["the", "cat", "sat"]),
    "a dictionary of words": ("token_ids", {"the": 1, "cat": 2}),
    "the key of a column": ("key", "alcohol_by_volume_2024"),
    "a sort key": ("sort_key", "flavanoids"),
    "a path": ("key_path", "/home/me/keys/wine_2024_final_version_2.txt"),
    "a question about passwords": ("password_prompt", "your password, please"),
    "a place for a password": ("password", "${DB_PASSWORD}"),
    "no password": ("password", ""),
    "a number": ("token", 12345678901234567890),
    "a table of keys": ("keys", list(range(10))),
    "a URL": ("url", "https://example.org:8080/a@b"),
    "a URL with a user": ("url", "ssh://git@example.org/x"),
    "a template of a URL": ("url", "postgresql://{user}:{password}@{host}/db"),
    "prose with sk-": ("text", "the sk-learn package and risk-averse-investors-in-2024"),
    "a uuid": ("run", "123e4567-e89b-12d3-a456-426614174000"),
    "a digest": ("digest", HEX),
    "a notebook's text": ("text", "import os\n" * 10),
    "a public key": ("pem", "-----BEGIN PUBLIC KEY-----\nMIIE\n"),
    "a huge text": ("password", "x" * 100_000),
    "a sha512": ("x", HEX * 4),
    "a digest in base64": ("digest", "Zk9Qw3+vT1/bXy7LmN0pRs4uVd8eHc2GjAqIo5UfKtE="),
    "an integrity": ("x", "sha256-Zk9Qw3+vT1/bXy7LmN0pRs4uVd8eHc2GjAqIo5UfKtE="),
    "the id of a file": ("sheet_id", LETTERS[:44]),
    "many drawn texts": ("found", [LETTERS[i : i + 40] for i in range(20)]),
    "a model's name": ("x", "meta-llama-Llama-3.1-8B-Instruct-GGUF-Q4_K_M"),
    "a class's name": ("x", "MobileNetV3LargeMinimalisticFloat32Model2021"),
    "a checkpoint's name": ("x", "resnet50_imagenet_1k_v2_final_checkpoint_00012345"),
    "a satellite's product": ("x", "S1A_IW_GRDH_1SDV_20200101T000000_20200101T000025_030608"),
    "a protein": ("x", "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQ"),
    "a molecule": ("x", "CC1=C(C=C(C=C1)NC(=O)C2=CC=C(C=C2)CN3CCN(CC3)C)NC4=NC=CC(=N4)C5=CN=CC=C5"),
    "an image": ("x", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk" * 40),
    "a small image": ("icon_png", "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYGD4DwAE"),
    "moments": ("x", "2020-01-01T00:00:00.000000+00:00_2020-01-02T00:00"),
}


@pytest.mark.parametrize("case", CREDENTIALS)
def test_a_credential_is_seen(case: str) -> None:
    assert looks_like_credential(*CREDENTIALS[case])


@pytest.mark.parametrize("case", NONE)
def test_what_is_no_credential_is_left_alone(case: str) -> None:
    assert looks_like_credential(*NONE[case]) is None


def test_the_reason_names_the_issuer_and_the_place_but_never_the_value() -> None:
    token = made("ghp_", 36)
    reason = looks_like_credential("config", {"users": [{"auth": token}]})
    assert reason == "it looks like a GitHub token at ['users'][0]['auth']"


def test_encoded_values_are_searched_as_bytes() -> None:
    assert known_form_in_bytes(b"\x80\x05\x8c(" + made("ghp_", 36).encode() + b"\x94") == "a GitHub token"
    assert known_form_in_bytes(bytes(range(256)) * 100) is None


def test_searching_takes_time_in_proportion_to_the_text() -> None:
    # Patterns that backtrack would not come back from these.
    for text in ("eyJ" + "a" * 200_000, "a://" + "b" * 200_000, "-----BEGIN " + "A " * 100_000, "a" * 300_000 + "://"):
        assert known_form(text) is None


def test_what_is_drawn_is_seen_nineteen_times_in_twenty_and_digests_never() -> None:
    rng = random.Random(0)
    letters = string.ascii_letters + string.digits
    drawn = ["".join(rng.choice(letters) for _ in range(32)) for _ in range(500)]
    assert sum(looks_drawn(text) for text in drawn) >= 475
    others = [rng.randbytes(size).hex() for size in (16, 20, 32, 64) for _ in range(50)]
    others += [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(50)]
    others += [repr(rng.random() * 10**40) for _ in range(50)] + [f"{rng.getrandbits(120):040d}" for _ in range(50)]
    assert not [text for text in others if looks_drawn(text)]


def test_a_variable_full_of_values_is_looked_at_a_little() -> None:
    nested = [[list(range(200))] * 200] * 200
    assert sum(1 for _ in texts_of("x", [[["a"] * 200] * 200] * 200)) <= MOST_LOOKS
    assert looks_like_credential("x", nested) is None


class Lying(dict):  # type: ignore[type-arg]
    """A container that must not be asked."""

    def items(self) -> Any:
        raise AssertionError("user code ran")


def test_nothing_of_the_users_runs() -> None:
    assert looks_like_credential("config", Lying(password="x")) is None
