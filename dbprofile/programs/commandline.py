"""How a command line reads in a report: as it was typed, without what looks like a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

__all__ = ["MASK", "shown_command"]

#: What stands for a value that is kept secret.
MASK: Final = "***"
#: Characters of a command line that are shown.
_SHOWN: Final = 200
#: Characters of a word that is looked into; a longer one is no word that a person reads.
_READABLE: Final = 500

#: Words in the name of an option or a setting that make a secret of its value.
_SECRETS: Final = frozenset(
    """
    apikey auth authorization bearer cookie credential credentials creds dsn key keys otp pass passcode passphrase passwd
    password pin private pw pwd salt secret secrets sig signature token tokens
    """.split()
)
_SECRET_ENDINGS: Final = ("apikey", "passphrase", "passwd", "password", "secret", "token")

_NAME_PARTS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
#: ``NAME=value`` anywhere in a word, ``Name: value`` and ``"name": "value"`` where a space or a quotation mark follows.
_ASSIGNED: Final = re.compile(r"""([A-Za-z][\w.-]*)["']?\s*(?:=|:(?=[\s"']))\s*""")
#: User and password before the host; up to the last ``@``, because a password may hold one.
_USER: Final = re.compile(r"""(?<=://)[^\s"']*@""")
_PARAMETER: Final = re.compile(r"([?&;][^=&;\s]+=)[^&;\s#]+")
#: Letters and digits in turns: a token, a hash, a key.
_RUN: Final = re.compile(r"[A-Za-z0-9]{20,}")
_TURNS: Final = 3


def shown_command(words: Iterable[str]) -> str:
    """A command line in one line of at most 200 characters.

    Values of options that are named like a secret (``--password``, ``API_KEY=``), users and passwords in URLs, values in their
    query strings, and long runs of letters and digits are masked. A secret that looks like any other word is not known for one.
    """
    shown = ""
    for word in _masked(words):
        shown += (" " if shown else "") + _quoted(word)
        if len(shown) > _SHOWN:
            return f"{shown[: _SHOWN - 3]}..."
    return shown


def _masked(words: Iterable[str]) -> Iterator[str]:
    secret = False
    for word in words:
        if secret and not word.startswith("--"):
            yield MASK
            secret = False
            continue
        yield _without_secrets(word)
        secret = word.startswith("-") and "=" not in word and _is_secret(word)


def _without_secrets(word: str) -> str:
    if len(word) > _READABLE:
        return MASK
    if "://" in word:
        word = _USER.sub(f"{MASK}@", word)
        word = _PARAMETER.sub(rf"\1{MASK}", word)
    for assigned in _ASSIGNED.finditer(word):
        if _is_secret(assigned[1]):
            return word[: assigned.end()] + MASK
    return _RUN.sub(_masked_run, word)


def _is_secret(name: str) -> bool:
    parts = [part.lower() for part in _NAME_PARTS.findall(name)]
    return any(part in _SECRETS or part.endswith(_SECRET_ENDINGS) for part in parts)


def _masked_run(run: re.Match[str]) -> str:
    turns = sum(before.isdigit() != after.isdigit() for before, after in pairwise(run[0]))
    return MASK if turns >= _TURNS else run[0]


def _quoted(word: str) -> str:
    if word and not any(character.isspace() or character in "'\"" for character in word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"
