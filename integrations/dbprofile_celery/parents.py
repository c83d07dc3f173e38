"""The parent of a task: which unit of work published it, carried to the worker in a header of the message.

Numbers of units are counted by each process for itself. So the header also says whose number it is, and only one that this process
has given out is taken for a number of ours.
"""

from __future__ import annotations

import os
import re
import socket
from typing import Final, NamedTuple
from uuid import uuid4

from dbprofile.streaming import Scope

__all__ = ["HEADER", "Parent", "parent_of", "unit_of", "written"]

#: The name of the header.
HEADER: Final = "dbprofile-parent"

#: ``44;4711@web-1;5d1c6a7f…``: the number, the process as people know it, and as nobody else is called.
_FORM: Final = re.compile(r"(\d{1,18});(\d{1,10})@([\w.-]{1,255});([0-9a-f]{32})", re.ASCII)

_host: Final = re.sub(r"[^\w.-]", "-", socket.gethostname(), flags=re.ASCII)[:255] or "localhost"
#: A process may have the number and host of another that is gone: in containers it is the rule.
_token = uuid4().hex


def _renew_token() -> None:
    """In the child of a fork: it goes on counting where its parent stood, and so do its siblings."""
    global _token
    _token = uuid4().hex


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_token)


class Parent(NamedTuple):
    """The unit of work that published a task."""

    number: int
    process: str
    """The id of its process, with the host where that is another; empty where it is this process."""


def written(scope: Scope) -> str:
    """What the header says of a task that is published in a scope."""
    return f"{unit_of(scope).number};{os.getpid()}@{_host};{_token}"


def parent_of(header: object) -> Parent | None:
    """What a header says; ``None`` where there is none, or none of ours."""
    found = _FORM.fullmatch(header) if isinstance(header, str) else None
    if found is None:
        return None
    number, process, host, token = found.groups()
    if token == _token:
        return Parent(int(number), "")
    return Parent(int(number), process if host == _host else f"{process}@{host}")


def unit_of(scope: Scope) -> Scope:
    """The scope by whose number people know a unit of work: a block inside a request has none that is told."""
    while scope.outer is not None and scope.outer.unit == scope.unit:
        scope = scope.outer
    return scope
