"""What looks like a credential: by its own form, by the name it goes by, or because nobody could guess it.

A form that an issuer fixed (a prefix, a length, a checksum's alphabet) counts under any name. Under a name that says
"password", any value counts; under names that often mean something else ("token", "key": words and dictionaries have
them, too) only what could not be guessed. Under any other name what was drawn from letters and digits alone counts,
unless the name or the company it is in says that it is an identifier or data.
Being wrong costs either way: a value left behind that was none, or one sent along; both are listed, so that the user
can turn each decision round.
"""

from __future__ import annotations

import math
import re
from typing import Any, Iterator, List, Optional, Tuple

from nbdag.portable.namespace import word_set

# (what it is, how its form begins, its form from there on). The forms are those that the issuers document; what follows
# a prefix is as long as they say, so that prose is none. The beginnings are looked for first: that is far faster.
KNOWN_FORMS: Tuple[Tuple[str, Tuple[str, ...], str], ...] = (
    ("an AWS access key", ("AKIA", "ASIA"), r"\b.{4}[0-9A-Z]{16}\b"),
    ("a GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\b.{4}[A-Za-z0-9]{36,}"),
    ("a GitHub token", ("github_pat_",), r"\b.{11}[A-Za-z0-9_]{22,}"),
    ("a GitLab token", ("glpat-",), r"\b.{6}[A-Za-z0-9_-]{20,}"),
    ("a Slack token", ("xox",), r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Slack token", ("xapp-",), r"\bxapp-\d-[A-Za-z0-9-]{20,}"),
    ("a Slack webhook", ("hooks.slack.com",), r".{15}/services/T\w+/B\w+/\w{16,}"),
    ("an API key (sk-...)", ("sk-",), r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}"),
    ("a Google API key", ("AIza",), r"\b.{4}[0-9A-Za-z_-]{35}"),
    ("a Google access token", ("ya29.",), r"\b.{5}[0-9A-Za-z_-]{20,}"),
    ("a Google client secret", ("GOCSPX-",), r"\b.{7}[0-9A-Za-z_-]{28}"),
    ("a Hugging Face token", ("hf_",), r"\b.{3}[A-Za-z0-9]{30,}"),
    ("a Stripe key", ("rk_live_", "sk_live_"), r"\b.{8}[0-9A-Za-z]{20,}"),
    ("a PyPI token", ("pypi-AgEI",), r"\b.{9}[A-Za-z0-9_-]{50,}"),
    ("an npm token", ("npm_",), r"\b.{4}[A-Za-z0-9]{36}"),
    ("a Docker Hub token", ("dckr_pat_",), r"\b.{9}[A-Za-z0-9_-]{27}"),
    ("a DigitalOcean token", ("dop_v1_", "doo_v1_", "dor_v1_"), r"\b.{7}[a-f0-9]{64}"),
    ("a Databricks token", ("dapi",), r"\b.{4}[0-9a-f]{32}\b"),
    ("a Grafana token", ("glsa_",), r"\b.{5}[A-Za-z0-9]{32}_[0-9a-f]{8}"),
    ("a Vault token", ("hvs.",), r"\b.{4}[A-Za-z0-9_-]{24,}"),
    ("a SendGrid key", ("SG.",), r"\b.{3}[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("a Shopify token", ("shpat_", "shpca_", "shppa_", "shpss_"), r"\b.{6}[a-fA-F0-9]{32}"),
    ("a JSON web token", ("eyJ",), r"\beyJ[A-Za-z0-9_-]{10,8000}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"),
    ("a private key", ("-----BEGIN ",), r".{11}(?:[A-Z0-9]+ ){0,5}PRIVATE KEY(?: BLOCK)?-----"),
    ("a private key", ("AGE-SECRET-KEY-1",), r"\b.{16}[0-9A-Z]{58}"),
    ("an Azure storage key", ("AccountKey=",), r"\b.{11}[A-Za-z0-9+/]{60,}={0,2}"),
    (
        "a URL with a password",
        ("://",),
        r"(?<=[a-z0-9+.-])://[^\s/:@'\"]{0,200}:[^\s/@'\"{}$<>*]{3,200}@[A-Za-z0-9]",
    ),
)
SEARCHES = tuple((what, starts, re.compile(form, re.S)) for what, starts, form in KNOWN_FORMS)
SEARCHES_IN_BYTES = tuple(
    (what, tuple(start.encode("ascii") for start in starts), re.compile(form.encode("ascii"), re.S))
    for what, starts, form in KNOWN_FORMS
)

PLAIN_WORDS = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "credential", "credentials"})
VAGUE_WORDS = frozenset({"token", "key", "apikey", "auth", "bearer", "pat"})
# Names of what is drawn at random and no secret, or made of random-looking data.
IDENTIFIER_WORDS = word_set(
    "id ids uid uuid guid hash digest checksum sha md5 etag commit revision version sheet folder file path url uri "
    "name model run job experiment checkpoint seed nonce salt signature sequence seq smiles inchi fingerprint public "
    "image png jpg jpeg data b64 base64 encoded content text html svg cursor cid"
)
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

LONGEST_SECRET = 16_384  # a private key has a few thousand letters
LEAST_GUESSABLE = 16  # letters of what an issuer makes
LEAST_ENTROPY = 3.0  # bits per letter; English words have about 2.5, random hex digits 3.6 and more
DEEPEST, MOST = 3, 200  # how far into containers, how many items of each
MOST_LOOKS = 5_000  # objects looked at in one variable
DRAWN = re.compile(
    r"[A-Za-z0-9_-]{32,128}\Z|(?=.{32,128}\Z)(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z"
)
LEAST_ENTROPY_DRAWN = 4.0  # bits per letter over 32 letters and more; names of things stay below
LEAST_TURNS = 0.45  # of neighbours that differ in kind (a, A, 0): 0.62 where each is drawn, 0.3 in names like aNameV2
MOST_DRAWN = 3  # so many in one variable are data


def known_form(text: str) -> Optional[str]:
    """Which issuer's form is in ``text``: ``"a GitHub token"``, or None."""
    return first_form(text, SEARCHES)


def known_form_in_bytes(data: Any) -> Optional[str]:
    """As ``known_form``, for what was encoded: bytes, or a file that is mapped."""
    return first_form(data, SEARCHES_IN_BYTES)


def first_form(text: Any, searches: Any) -> Optional[str]:
    """The first of the forms that is somewhere in ``text``."""
    for what, starts, form in searches:
        for start in starts:
            place = text.find(start)
            while place >= 0:
                if form.match(text, place):
                    return str(what)
                place = text.find(start, place + 1)
    return None


def looks_like_credential(name: str, value: Any) -> Optional[str]:
    """Why a variable, or an item of a small container of plain values in it, looks like a credential; None if not.

    Looks at exact built-in types only, and so runs nothing of the user's; at 5,000 objects at most.
    """
    drawn: List[str] = []
    for place, word, text in texts_of(name, value):
        reason = credential_in_text(word, text)
        if reason == LOOKS_DRAWN:
            drawn.append(reason + (" at %s" % place if place else ""))
        elif reason:
            return reason + (" at %s" % place if place else "")
    return drawn[0] if 0 < len(drawn) <= MOST_DRAWN else None


LOOKS_DRAWN = "it looks drawn at random, as keys are"


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
    if not words & IDENTIFIER_WORDS and looks_drawn(text):
        return LOOKS_DRAWN
    return None


def is_hard_to_guess(text: str) -> bool:
    """Whether ``text`` could have been made by a random generator: long, mixed, no word or path."""
    if len(text) < LEAST_GUESSABLE or "/" in text[:2] or "\\" in text:
        return False
    pieces = re.split(r"[^A-Za-z0-9]+", text)  # alcohol_by_volume_2024 is made of words
    if not any(len(piece) >= 8 and not piece.isalpha() and not piece.isdigit() for piece in pieces):
        return False
    return entropy(text) >= LEAST_ENTROPY


def looks_drawn(text: str) -> bool:
    """Whether ``text`` is 32 to 128 letters of which each seems to be drawn from all letters and digits.

    A digest, a uuid and a number are not: they have fewer kinds of letters. Neither is what is made of words.
    """
    if not DRAWN.match(text):
        return False
    kinds = [
        "a" if letter.islower() else "A" if letter.isupper() else "0" if letter.isdigit() else "" for letter in text
    ]
    if not {"a", "A", "0"}.issubset(kinds) or kinds.count("0") < 2 or entropy(text) < LEAST_ENTROPY_DRAWN:
        return False
    if max(len(piece) for piece in re.split(r"[^A-Za-z0-9]+", text)) < 12:
        return False
    neighbours = [(one, other) for one, other in zip(kinds, kinds[1:]) if one and other]  # noqa: B905, RUF007
    return sum(one != other for one, other in neighbours) >= LEAST_TURNS * len(neighbours)


def entropy(text: str) -> float:
    """Bits per letter, by how often each letter is there."""
    counts = [text.count(letter) / len(text) for letter in set(text)]
    return -sum(share * math.log2(share) for share in counts)


def texts_of(name: str, value: Any) -> Iterator[Tuple[str, str, str]]:
    """The strings in ``value`` as (where, the name each goes by, text), in their order."""
    pending: List[Tuple[str, str, Any, int]] = [("", name, value, 0)]
    looks = 0
    while pending and looks < MOST_LOOKS:
        looks += 1
        place, word, found, depth = pending.pop()
        kind = type(found)
        if kind is str:
            yield place, word, found
        elif (kind is bytes or kind is bytearray) and len(found) <= LONGEST_SECRET:  # `==` would ask a metaclass
            yield place, word, bytes(found).decode("latin-1")
        elif depth < DEEPEST and kind is dict and len(found) <= MOST:
            items = [(key, item) for key, item in list(found.items()) if type(key) is str]
            pending += [("%s[%r]" % (place, key), key, item, depth + 1) for key, item in reversed(items)]
        elif depth < DEEPEST and (kind is list or kind is tuple) and len(found) <= MOST:
            numbered = list(enumerate(list(found)))
            pending += [("%s[%d]" % (place, number), word, item, depth + 1) for number, item in reversed(numbered)]
