"""A program that visits the shop beside another tool that watches Django, and prints what each of the two counted.

``python -m tests.integrations.django.neighbours '{"neighbour": "silk", "ours": true, ...}'``: the others patch the process they are
in, so each visit is made in one of its own.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypedDict

import django
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

from dbprofile import Profiler, Report
from tests.integrations.django.serving import Answer, over_asgi, over_wsgi

#: What is visited: a loop of queries, a join, a count, a stream, an exception, and a page that is not there.
ADDRESSES: Final = ["/orders/", "/orders/joined/", "/orders/7/", "/stream/", "/file/", "/broken/", "/nothing/"]
SERVERS: Final[dict[str, Callable[[str], Answer]]] = {
    "wsgi": over_wsgi,
    "asgi": lambda address: asyncio.run(over_asgi(address)),
}
OURS: Final = "dbprofile_django.ProfileMiddleware"

urlpatterns: list[Any] = []


class Visit(TypedDict):
    """What is asked of the program."""

    neighbour: str
    ours: bool
    first: bool
    """Whether our middleware stands outside theirs."""
    database: dict[str, Any]


class Counts(TypedDict):
    """What it prints: by server and address what they counted, what we counted and found, and what the client got."""

    theirs: dict[str, Any]
    ours: dict[str, list[str]]
    answers: dict[str, list[Any]]


class Neighbour:
    """Nobody: what the others are compared with."""

    applications: tuple[str, ...] = ()
    middleware: tuple[str, ...] = ()
    settings: dict[str, Any] = {}  # noqa: RUF012 - read only

    def start(self) -> None:
        """Before Django's settings are used, as an application's own start would do it."""

    def ready(self) -> None:
        """Once its applications are loaded."""

    def count(self, answer: Answer) -> Any:
        """What it saw of the last request."""
        return None


class Toolbar(Neighbour):
    """django-debug-toolbar: its panel's count is in a header of the response."""

    applications = ("django.contrib.staticfiles", "debug_toolbar")
    middleware = ("debug_toolbar.middleware.DebugToolbarMiddleware",)
    settings = {  # noqa: RUF012 - read only
        "DEBUG": True,
        "STATIC_URL": "/static/",
        "DEBUG_TOOLBAR_CONFIG": {"SHOW_TOOLBAR_CALLBACK": lambda _: True, "IS_RUNNING_TESTS": False},
    }

    def ready(self) -> None:
        urlpatterns.append(path("__debug__/", include("debug_toolbar.urls")))

    def count(self, answer: Answer) -> Any:
        timings = answer.headers.get("Server-Timing", "").split(", ")
        return [timing.partition("desc=")[2] for timing in timings if timing.startswith("SQLPanel")]


class Silk(Neighbour):
    """django-silk: it keeps what it saw in tables of its own."""

    applications = ("silk",)
    middleware = ("silk.middleware.SilkyMiddleware",)
    settings = {"SILKY_ANALYZE_QUERIES": False}  # noqa: RUF012 - read only

    def count(self, answer: Answer) -> Any:
        from silk.models import Request, SQLQuery  # noqa: PLC0415 - a model of an application that only this run has

        last = Request.objects.order_by("start_time").last()
        tables = SQLQuery.objects.filter(request=last).values_list("query", flat=True)
        return [last.num_sql_queries, sorted(" ".join(text.split()[:1]) for text in tables)] if last else None


class OpenTelemetry(Neighbour):
    """OpenTelemetry's instrumentations of Django and of the driver: a span for each request and each statement."""

    def start(self) -> None:
        from opentelemetry.instrumentation.django import DjangoInstrumentor  # noqa: PLC0415 - only this run has it
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor  # noqa: PLC0415
        from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        for instrumentor in (DjangoInstrumentor, PsycopgInstrumentor, SQLite3Instrumentor):
            instrumentor().instrument(tracer_provider=provider, skip_dep_check=True)

    def count(self, answer: Answer) -> Any:
        spans = self._exporter.get_finished_spans()
        self._exporter.clear()
        return sorted(Counter(f"{span.kind.name} {span.name}" for span in spans).items())


class Sentry(Neighbour):
    """Sentry's SDK, with a transport that keeps what it would send."""

    def start(self) -> None:
        import sentry_sdk  # noqa: PLC0415 - it patches Django, and only this run has it
        from sentry_sdk.integrations.django import DjangoIntegration  # noqa: PLC0415
        from sentry_sdk.transport import Transport  # noqa: PLC0415

        envelopes: list[Any] = []

        class Memory(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                envelopes.append(envelope)

        self._envelopes = envelopes
        sentry_sdk.init(
            dsn="https://key@localhost/1",
            transport=Memory,
            traces_sample_rate=1.0,
            auto_enabling_integrations=False,
            integrations=[DjangoIntegration()],
        )

    def count(self, answer: Answer) -> Any:
        seen: list[Any] = []
        for envelope in self._envelopes:
            for item in envelope.items:
                event = item.get_transaction_event()
                if event is not None:
                    operations = Counter(span["op"] for span in event["spans"] if span["op"].startswith("db"))
                    seen.append([event["transaction"], sorted(operations.items())])
                elif item.type == "event":
                    seen.append(["error", [value["type"] for value in item.payload.json["exception"]["values"]]])
        self._envelopes.clear()
        return sorted(seen, key=str)


NEIGHBOURS: Final[dict[str, Callable[[], Neighbour]]] = {
    "nobody": Neighbour,
    "toolbar": Toolbar,
    "silk": Silk,
    "opentelemetry": OpenTelemetry,
    "sentry": Sentry,
}


def visit(asked: Visit) -> Counts:
    """Visit every address, with or without us."""
    neighbour = NEIGHBOURS[asked["neighbour"]]()
    reports: list[Report] = []
    ours = (OURS,) if asked["ours"] else ()
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": asked["database"]},
        DBPROFILE={"profiler": Profiler(sinks=[reports.append])},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            *(["dbprofile_django"] if asked["ours"] else []),
            *neighbour.applications,
            "tests.integrations.django.shop",
        ],
        MIDDLEWARE=[*ours, *neighbour.middleware] if asked["first"] else [*neighbour.middleware, *ours],
        MIGRATION_MODULES=dict.fromkeys(("contenttypes", "auth", "sessions", "shop", "silk", "debug_toolbar")),
        ROOT_URLCONF=sys.modules[__name__],
        SECRET_KEY="not secret",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        USE_TZ=True,
        **neighbour.settings,
    )
    neighbour.start()
    django.setup()
    urlpatterns.append(path("", include("tests.integrations.django.urls")))
    neighbour.ready()
    call_command("migrate", run_syncdb=True, verbosity=0)
    from tests.integrations.django.shop.models import fill  # noqa: PLC0415 - models want settings

    fill(5)
    counts = Counts(theirs={}, ours={}, answers={})
    for server, get in SERVERS.items():
        neighbour.count(get("/orders/joined/"))  # what is filled once in a process
        for address in ADDRESSES:
            reports.clear()
            answer = get(address)
            name = f"{server} {address}"
            counts["answers"][name] = [answer.status, answer.body.decode(errors="replace")[:300]]
            counts["theirs"][name] = neighbour.count(answer)
            counts["ours"][name] = [_summary(report) for report in reports]
    return counts


def _summary(report: Report) -> str:
    found = ", ".join(f"{finding.code} {finding.subject} {finding.count}x" for finding in report.findings)
    return f"{report.profile.query_count} queries: {found}"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(visit(json.loads(sys.argv[1]))))
