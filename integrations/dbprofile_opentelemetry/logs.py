"""The way out for events: the Logs API of OpenTelemetry where somebody listens there, else the log of the standard library.

The Logs API is still in development. This is the only module that knows it, and it looks for features, never for versions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from opentelemetry._logs import Logger, LoggerProvider, SeverityNumber, get_logger, get_logger_provider
from opentelemetry.context import Context

from dbprofile_opentelemetry.names import INSTRUMENTATION, SCHEMA_URL

__all__ = ["WAYS", "Grade", "LoggerProvider", "Logs", "Notice", "Value"]

#: Values of attributes that every version of the API takes.
Value = str | bool | int | float | Sequence[str]

#: ``auto``: the Logs API if it is enabled, else the standard library's. Never both, unless asked: where a handler turns records
#: of the standard library into those of OpenTelemetry, each event would arrive twice.
WAYS: Final = ("auto", "otel", "logging", "both", "off")


class Grade(Enum):
    """How bad an event is, in the words of both logs."""

    WARN = (SeverityNumber.WARN, logging.WARNING)
    ERROR = (SeverityNumber.ERROR, logging.ERROR)

    @property
    def number(self) -> SeverityNumber:
        """The severity in OpenTelemetry."""
        return self.value[0]

    @property
    def level(self) -> int:
        """The level in the standard library."""
        return self.value[1]


@dataclass(frozen=True)
class Notice:
    """An event, without what it says."""

    name: str
    """The event's name; also that of the standard library's logger."""
    grade: Grade
    timestamp: int
    """When it happened, in nanoseconds since the epoch."""
    context: Context | None = None
    """Whose trace it belongs to; the current one if ``None``."""


class Logs:
    """Sends events.

    Args:
        way: one of ``WAYS``.
        version: of the instrumentation scope.
        provider: the global one otherwise, also one that is set later.
    """

    def __init__(self, way: str, version: str, provider: LoggerProvider | None = None) -> None:
        self._way = way
        self._provider = provider
        self._logger: Logger = get_logger(INSTRUMENTATION, version, provider, SCHEMA_URL)

    def ways(self, notice: Notice) -> tuple[bool, bool]:
        """Where an event would go: to the Logs API, to the standard library's log. Asked anew for each event."""
        if self._way == "off":
            return False, False
        api = self._way != "logging" and self._is_enabled(notice)
        standard = self._way in {"logging", "both"} or (self._way == "auto" and not api)
        return api, standard and logging.getLogger(notice.name).isEnabledFor(notice.grade.level)

    def _is_enabled(self, notice: Notice) -> bool:
        enabled = getattr(self._logger, "enabled", None)
        if enabled is not None:
            answer = enabled(context=notice.context, severity_number=notice.grade.number, event_name=notice.name)
            return bool(answer)
        # Older APIs have nothing to ask: what they offer where nobody has set a provider is a class of their own.
        provider = self._provider if self._provider is not None else get_logger_provider()
        return not type(provider).__module__.startswith("opentelemetry._logs")

    def send(self, ways: tuple[bool, bool], notice: Notice, body: str, attributes: Mapping[str, Value]) -> None:
        """Send one event.

        Args:
            ways: what ``ways()`` answered.
            notice: the event.
            body: the sentence for people.
            attributes: everything else.
        """
        api, standard = ways
        if api:
            self._logger.emit(
                timestamp=notice.timestamp,
                context=notice.context,
                severity_number=notice.grade.number,
                severity_text=notice.grade.name,
                body=body,
                attributes=attributes,
                event_name=notice.name,
            )
        if standard:
            logging.getLogger(notice.name).log(notice.grade.level, "%s", body, extra=dict(attributes))
