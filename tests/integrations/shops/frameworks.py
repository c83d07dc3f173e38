"""The shops by their names, with the variants of one: everything that is tested on each."""

from __future__ import annotations

from functools import partial

from tests.integrations.shops import Opened, django, flask, plain, starlette

__all__ = ["FRAMEWORKS"]

FRAMEWORKS: dict[str, Opened] = {
    "plain": plain.opened,
    "flask": flask.opened,
    "flask, cursor events": partial(flask.opened, cursor_events=True),
    "starlette": starlette.opened,
    "django": django.opened,
}
