"""Slow queries, N+1 queries and the totals of each request, sent to OpenTelemetry.

PYTEST_DONT_REWRITE
"""

from dbprofile_opentelemetry.limits import EventRate
from dbprofile_opentelemetry.sink import OpenTelemetry

__all__ = ["EventRate", "OpenTelemetry"]
