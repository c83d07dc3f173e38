"""System checks: settings that no Profiler knows, and a middleware that is missing, doubled or in the wrong place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from dbprofile import ConfigurationError
from dbprofile_django.configuration import SETTING, project_profiler

__all__ = ["MIDDLEWARE", "check_middleware", "check_settings"]

MIDDLEWARE: Final = "dbprofile_django.ProfileMiddleware"
_NAMES: Final = frozenset({MIDDLEWARE, "dbprofile_django.scopes.ProfileMiddleware"})


def check_settings(**_keywords: Any) -> list[CheckMessage]:
    """E001: an unknown key or a value of the wrong type in ``DBPROFILE``."""
    try:
        project_profiler()
    except ConfigurationError as error:
        return [Error(str(error), hint=f"Correct {SETTING} in your settings.", id="dbprofile.E001")]
    return []


def check_middleware(**_keywords: Any) -> list[CheckMessage]:
    """W001 to W005: the middleware is missing, there twice, not first, on without DEBUG, or not enough for Channels."""
    names: Sequence[str] = settings.MIDDLEWARE
    places = [place for place, name in enumerate(names) if name in _NAMES]
    found: list[CheckMessage] = []
    if not places:
        hint = f"Put {MIDDLEWARE!r} first in MIDDLEWARE, or take 'dbprofile_django' out of INSTALLED_APPS."
        return [CheckWarning("dbprofile is installed, but profiles no requests.", hint=hint, id="dbprofile.W001")]
    if len(places) > 1:
        found.append(
            CheckWarning(
                f"{MIDDLEWARE} stands in MIDDLEWARE {len(places)} times.", hint="Keep the first.", id="dbprofile.W002"
            )
        )
    before = [name for name in names[: places[0]] if not name.startswith("opentelemetry.")]
    if before:
        hint = f"Put it first: queries of {before[0]} are not seen where it stands."
        found.append(CheckWarning(f"{MIDDLEWARE} is not first in MIDDLEWARE.", hint=hint, id="dbprofile.W003"))
    if _is_on_for_all():
        hint = f"Give {SETTING} a share of requests, 'sample': 0.01, or leave the middleware out without DEBUG."
        message = "dbprofile profiles every request although DEBUG is off."
        found.append(CheckWarning(message, hint=hint, id="dbprofile.W004"))
    if apps.is_installed("channels"):
        hint = "Wrap the consumers of your ASGI application in dbprofile_asgi.ProfileMiddleware too."
        message = "Consumers of Channels do not pass through Django's middleware."
        found.append(CheckWarning(message, hint=hint, id="dbprofile.W005"))
    return found


def _is_on_for_all() -> bool:
    given = getattr(settings, SETTING, {})
    if settings.DEBUG or (isinstance(given, Mapping) and "sample" in given):
        return False
    try:
        profiler = project_profiler()
    except ConfigurationError:
        return False  # E001 says it
    return profiler is not None and bool(profiler.sinks) and profiler.settings.sample >= 1
