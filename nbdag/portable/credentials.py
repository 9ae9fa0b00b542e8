"""What looks like a credential: by its own form, or by the name it goes by.

A form that an issuer fixed (a prefix, a length, a checksum's alphabet) counts under any name. Under a name that says
"password", any value counts; under names that often mean something else ("token", "key": words and dictionaries have
them, too) only what could not be guessed. Being wrong costs either way: a value left behind that was none, or one
sent along; both are listed, so that the user can turn each decision round.
"""

from __future__ import annotations

import math
import re
from typing import Any, Iterator, Optional, Tuple

# The forms are those that the issuers document; what follows a prefix is as long as they say, so that prose is none.
KNOWN_FORMS = (
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{22,}"),
    ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("an API key (sk-...)", r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}"),
    ("a Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a Google access token", r"\bya29\.[0-9A-Za-z_-]{20,}"),
    ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("a Stripe key", r"\b[rs]k_live_[0-9A-Za-z]{20,}"),
    ("a PyPI token", r"\bpypi-AgEI[A-Za-z0-9_-]{50,}"),
    ("an npm token", r"\bnpm_[A-Za-z0-9]{36}"),
    ("a Databricks token", r"\bdapi[0-9a-f]{32}\b"),
    ("a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"),
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
    ("an Azure storage key", r"\bAccountKey=[A-Za-z0-9+/]{60,}={0,2}"),
    ("a URL with a password", r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"]*:[^\s/@'\"{}$<>*]{3,}@[A-Za-z0-9]"),
)
FORMS = re.compile("|".join("(%s)" % form for _, form in KNOWN_FORMS))
FORMS_IN_BYTES = re.compile(FORMS.pattern.encode("ascii"))

PLAIN_WORDS = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "credential", "credentials"})
VAGUE_WORDS = frozenset({"token", "key", "apikey", "auth", "bearer", "pat"})
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

LONGEST_SECRET = 16_384  # a private key has a few thousand letters
LEAST_GUESSABLE = 16  # letters of what an issuer makes
LEAST_ENTROPY = 3.0  # bits per letter; English words have about 2.5, random hex digits 3.6 and more
DEEPEST, MOST = 3, 200  # how far into containers, how many items of each


def known_form(text: str) -> Optional[str]:
    """Which issuer's form is in ``text``: ``"a GitHub token"``, or None."""
    found = FORMS.search(text)
    return KNOWN_FORMS[(found.lastindex or 1) - 1][0] if found else None


def known_form_in_bytes(data: bytes) -> Optional[str]:
    """As ``known_form``, for what was encoded."""
    found = FORMS_IN_BYTES.search(data)
    return KNOWN_FORMS[(found.lastindex or 1) - 1][0] if found else None


def looks_like_credential(name: str, value: Any) -> Optional[str]:
    """Why a variable, or an item of a small container of plain values in it, looks like a credential; None if not.

    Looks at exact built-in types only, and so runs nothing of the user's.
    """
    for place, word, text in texts_of(name, value):
        reason = credential_in_text(word, text)
        if reason:
            return reason + (" at %s" % place if place else "")
    return None


def credential_in_text(name: str, text: str) -> Optional[str]:
    """Why ``text``, known as ``name``, looks like a credential."""
    if not text or len(text) > LONGEST_SECRET:
        return None
    form = known_form(text)
    if form:
        return "it looks like " + form
    words = {word.lower() for word in WORDS.findall(name)}
    one_word = not any(letter.isspace() for letter in text)
    if words & PLAIN_WORDS and one_word and not text.startswith(("$", "{", "<")):  # a place for one to be put in
        return "its name says that it is a credential"
    if words & VAGUE_WORDS and one_word and is_hard_to_guess(text):
        return "its name and its form say that it is a credential"
    return None


def is_hard_to_guess(text: str) -> bool:
    """Whether ``text`` could have been made by a random generator: long, mixed, no word or path."""
    if len(text) < LEAST_GUESSABLE or "/" in text[:2] or "\\" in text:
        return False
    pieces = re.split(r"[^A-Za-z0-9]+", text)  # alcohol_by_volume_2024 is made of words
    if not any(len(piece) >= 8 and not piece.isalpha() and not piece.isdigit() for piece in pieces):
        return False
    counts = [text.count(letter) / len(text) for letter in set(text)]
    return -sum(share * math.log2(share) for share in counts) >= LEAST_ENTROPY


def texts_of(name: str, value: Any, depth: int = 0, place: str = "") -> Iterator[Tuple[str, str, str]]:
    """The strings in ``value`` as (where, the name each goes by, text)."""
    kind = type(value)
    if kind is str:
        yield place, name, value
    elif (kind is bytes or kind is bytearray) and len(value) <= LONGEST_SECRET:  # `==` would ask a metaclass
        yield place, name, bytes(value).decode("latin-1")
    elif depth < DEEPEST and kind is dict and len(value) <= MOST:
        for key, item in list(value.items()):
            if type(key) is str:
                yield from texts_of(key, item, depth + 1, "%s[%r]" % (place, key))
    elif depth < DEEPEST and (kind is list or kind is tuple) and len(value) <= MOST:
        for number, item in enumerate(list(value)):
            yield from texts_of(name, item, depth + 1, "%s[%d]" % (place, number))
