"""Django on SQLite in memory, the cheapest statement there is: the worst ratio."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import django
from django.conf import settings

from benchmarks.harness import Bench, Seen, main
from dbprofile import Profiler, Report

bench = Bench("bench_django", ["Django"])

#: Set by the instrument before the workload configures Django.
profilers: list[Profiler] = []


# --- instruments ----------------------------------------------------------------------------------------------------


@bench.instrument("none")
def none() -> Iterator[Seen]:
    _configure()
    yield None


@bench.instrument("none-again")
def none_again() -> Iterator[Seen]:
    _configure()
    yield None


@bench.instrument("debug")
def debug() -> Iterator[Seen]:
    """What DEBUG itself costs: Django's own log of queries."""
    _configure()
    from django.db import connection  # noqa: PLC0415 - needs settings

    connection.force_debug_cursor = True
    yield None


@bench.instrument("off")
def off() -> Iterator[Seen]:
    """Installed, and no scope open."""
    _configure("dbprofile_django")
    yield None


@bench.instrument("counters")
def counters() -> Iterator[Seen]:
    yield from _profiled(detail_limit=0)


@bench.instrument("full")
def full() -> Iterator[Seen]:
    yield from _profiled()


def _profiled(detail_limit: int = 1_000) -> Iterator[Seen]:
    seen = 0

    def count(report: Report) -> None:
        nonlocal seen
        seen += report.profile.query_count

    profilers.append(Profiler(sinks=[count], detail_limit=detail_limit))
    _configure("dbprofile_django", middleware=["dbprofile_django.ProfileMiddleware"])
    yield lambda: seen


def _configure(*applications: str, middleware: list[str] | None = None) -> None:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[*applications, "benchmarks.django_library"],
        MIDDLEWARE=middleware or [],
        ROOT_URLCONF="benchmarks.django_library.urls",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="benchmark",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        DBPROFILE={"profiler": "benchmarks.bench_django.profiler"} if profilers else {},
    )
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - needs settings

    from benchmarks.django_library.models import fill  # noqa: PLC0415 - needs settings

    call_command("migrate", run_syncdb=True, verbosity=0)
    fill()


def __getattr__(name: str) -> Profiler:
    # The dotted path in DBPROFILE; the module that runs as a command has another name than the one that Django imports.
    if name == "profiler":
        running = sys.modules["__main__"]
        found: Profiler = (profilers or running.profilers)[0]
        return found
    raise AttributeError(name)


def in_scopes(chunk: Callable[[int], None], size: int) -> Callable[[int], None]:
    """Run a chunk in scopes of so many units, where the instrument has a profiler."""
    if not profilers:
        return chunk
    profiler = profilers[0]

    def run(units: int) -> None:
        for start in range(0, units, size):
            with profiler.scope("block", "chunk"):
                chunk(min(size, units - start))

    return run


# --- workloads ------------------------------------------------------------------------------------------------------


@bench.workload("raw", units=3_000, statements=1)
def raw() -> Callable[[int], None]:
    """A cursor each time, the thinnest statement."""
    from django.db import connection  # noqa: PLC0415 - needs settings

    def run(units: int) -> None:
        for number in range(units):
            with connection.cursor() as cursor:
                cursor.execute("SELECT id FROM author WHERE id = %s", [number % 200])
                cursor.fetchall()

    return in_scopes(run, 500)


@bench.workload("n1", units=3, statements=201)
def n1() -> Callable[[int], None]:
    from benchmarks.django_library.models import Book  # noqa: PLC0415 - needs settings

    def run(units: int) -> None:
        for _ in range(units):
            for book in Book.objects.all():
                _ = book.author.name

    return in_scopes(run, 1)


@bench.workload("req30", units=20, statements=30)
def req30() -> Callable[[int], None]:
    from django.test import Client  # noqa: PLC0415 - needs settings

    client = Client()

    def run(units: int) -> None:
        for _ in range(units):
            client.get("/")

    return run


@bench.workload("models", units=1, statements=1)
def models() -> Callable[[int], None]:
    """5,000 instances, labelled in full mode."""
    from benchmarks.django_library.models import Row  # noqa: PLC0415 - needs settings

    Row.objects.bulk_create(Row(name=f"row {number}") for number in range(5_000))

    def run(units: int) -> None:
        for _ in range(units):
            list(Row.objects.all())

    return in_scopes(run, 1)


if __name__ == "__main__":
    sys.exit(main(bench))
