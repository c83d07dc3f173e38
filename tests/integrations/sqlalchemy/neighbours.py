"""A program that asks a library of five authors beside another tool that watches SQLAlchemy or its driver; it prints what each counted.

``python -m tests.integrations.sqlalchemy.neighbours sentry URL``: the others patch the process they are in, so each has one of its own.
In it the pages are visited with us, installed first and listening through one door; without us; and with us again through the other door.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Final, TypedDict

import sqlalchemy
from sqlalchemy import Engine, exc, insert, select, text, update
from sqlalchemy.ext import asyncio as asyncio_extension
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, joinedload

import dbprofile_sqlalchemy
from dbprofile import Profiler, Report
from tests.integrations.sqlalchemy.models import Author, Book, Profile, Tag, fill


class Counts(TypedDict):
    """What it prints of each visit: by page what they counted, what we counted and found, and what the application got."""

    theirs: dict[str, Any]
    ours: dict[str, list[Any]]
    answers: dict[str, Any]


# --- the pages ------------------------------------------------------------------------------------------------------


def _loop(session: Session) -> Any:
    return sorted(book.author.name for book in session.scalars(select(Book)))


def _joined(session: Session) -> Any:
    return sorted(book.author.name for book in session.scalars(select(Book).options(joinedload(Book.author))))


def _by_hand(session: Session) -> Any:
    found = session.execute(text("SELECT name FROM author WHERE id > :low ORDER BY id"), {"low": 3}).all()
    return [row[0] for row in found]


def _chunks(session: Session) -> Any:
    return [len(part) for part in session.execute(select(Book.id).execution_options(yield_per=4)).partitions()]


def _writing(session: Session) -> Any:
    session.add_all([Tag(name=f"tag {number}") for number in range(20)])
    session.flush()
    session.execute(update(Author), [{"id": number, "name": f"author {number}"} for number in (1, 2)])
    with session.begin_nested():
        session.execute(insert(Tag).values(name="in a savepoint"))
    session.rollback()
    return session.scalar(text("SELECT count(*) FROM tag"))


def _failing(session: Session) -> Any:
    try:
        session.execute(insert(Profile).values(id=1, text="again", author_id=1))
    except exc.IntegrityError as error:
        session.rollback()
        return type(error.orig).__name__
    return "nothing failed"


PAGES: Final[tuple[Callable[[Session], Any], ...]] = (_loop, _joined, _by_hand, _chunks, _writing, _failing)


# --- the neighbours -------------------------------------------------------------------------------------------------


class Neighbour:
    """Nobody: what the others are compared with."""

    def start(self) -> None:
        """Before any engine is made."""

    def begin(self) -> None:
        """A page begins."""

    def count(self) -> Any:
        """What it saw of the page."""
        return None


class OpenTelemetry(Neighbour):
    """OpenTelemetry's instrumentation of SQLAlchemy: a span for each cursor execution."""

    def start(self) -> None:
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - only this run has it
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415

        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.instrument(tracer_provider=provider, skip_dep_check=True)

    def instrument(self, **options: Any) -> None:
        """Patch what is watched."""
        from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor  # noqa: PLC0415

        SQLAlchemyInstrumentor().instrument(**options)

    def begin(self) -> None:
        self._exporter.clear()

    def count(self) -> Any:
        spans = Counter(
            (
                span.name,
                span.status.status_code.name,
                " ".join(str((span.attributes or {}).get("db.statement")).split()[:3]),
            )
            for span in self._exporter.get_finished_spans()
        )
        return sorted([*span, number] for span, number in spans.items())


class Commenter(OpenTelemetry):
    """The same, writing a comment with the trace's number into each statement."""

    def instrument(self, **options: Any) -> None:
        super().instrument(enable_commenter=True, **options)


class Drivers(OpenTelemetry):
    """OpenTelemetry's instrumentations of drivers: sqlite3 through the one of any DB-API driver, psycopg2, asyncpg."""

    def instrument(self, **options: Any) -> None:
        import sqlite3  # noqa: PLC0415 - patched here

        from opentelemetry.instrumentation import dbapi  # noqa: PLC0415 - only this run has it
        from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor  # noqa: PLC0415
        from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor  # noqa: PLC0415

        module: Any = sqlite3.dbapi2
        dbapi.wrap_connect("neighbours", module, "connect", "sqlite", tracer_provider=options["tracer_provider"])
        instrumentors: tuple[Any, ...] = (Psycopg2Instrumentor, AsyncPGInstrumentor)
        for instrumentor in instrumentors:
            instrumentor().instrument(**options)


class Sentry(Neighbour):
    """Sentry's SDK, with a transport that keeps what it would send."""

    def start(self) -> None:
        import sentry_sdk  # noqa: PLC0415 - it patches, and only this run has it
        from sentry_sdk.integrations.asyncpg import AsyncPGIntegration  # noqa: PLC0415
        from sentry_sdk.integrations.sqlalchemy import SqlalchemyIntegration  # noqa: PLC0415
        from sentry_sdk.transport import Transport  # noqa: PLC0415

        envelopes: list[Any] = []

        class Memory(Transport):
            def capture_envelope(self, envelope: Any) -> None:
                envelopes.append(envelope)

        self._sdk, self._envelopes = sentry_sdk, envelopes
        sentry_sdk.init(
            dsn="https://key@localhost/1",
            transport=Memory,
            traces_sample_rate=1.0,
            auto_enabling_integrations=False,
            integrations=[SqlalchemyIntegration(), AsyncPGIntegration()],
        )

    def begin(self) -> None:
        self._envelopes.clear()
        self._transaction = self._sdk.start_transaction(op="page", name="page")
        self._transaction.__enter__()

    def count(self) -> Any:
        self._transaction.__exit__(None, None, None)
        spans: Counter[tuple[str, str, str]] = Counter()
        for envelope in self._envelopes:
            for item in envelope.items:
                event = item.get_transaction_event()
                for span in event["spans"] if event is not None else ():
                    words = " ".join((span["description"] or "").split()[:3])
                    spans[span["op"], span.get("status") or "", words] += 1
        return sorted([*span, number] for span, number in spans.items())


NEIGHBOURS: Final[dict[str, type[Neighbour]]] = {
    "nobody": Neighbour,
    "opentelemetry": OpenTelemetry,
    "commenter": Commenter,
    "drivers": Drivers,
    "sentry": Sentry,
}


# --- the visits -----------------------------------------------------------------------------------------------------


async def _await(engine: AsyncEngine, page: Callable[[Session], Any]) -> Any:
    async with AsyncSession(engine) as session:
        return await session.run_sync(page)


def _ask(engine: Engine | AsyncEngine, page: Callable[[Session], Any], runner: asyncio.Runner) -> Any:
    if isinstance(engine, AsyncEngine):
        return runner.run(_await(engine, page), context=copy_context())
    with Session(engine) as session:
        return page(session)


def _summary(report: Report) -> Any:
    found = sorted(f"{finding.code} {finding.subject} {finding.count}x" for finding in report.findings)
    queries = [
        [query.statement.text, query.rows, query.batch_size, query.round_trips, query.error, query.undone]
        for query in report.profile.queries
    ]
    return [report.profile.query_count, report.profile.unfinished, found, queries]


def _visit(url: str, neighbour: Neighbour) -> Counts:
    reports: list[Report] = []
    profiler = Profiler(sinks=[reports.append], slow_ms=60_000)
    counts = Counts(theirs={}, ours={}, answers={})
    # By the modules: it is there that some of the others put engines of theirs.
    engine: Any = asyncio_extension.create_async_engine(url) if "+asyncpg" in url else sqlalchemy.create_engine(url)
    with asyncio.Runner() as runner:
        _ask(engine, _joined, runner)  # what a first connection sends
        for page in PAGES:
            name = page.__name__
            reports.clear()
            neighbour.begin()
            with profiler.scope("request", name):
                counts["answers"][name] = _ask(engine, page, runner)
            counts["theirs"][name] = neighbour.count()
            counts["ours"][name] = [_summary(report) for report in reports]
        if isinstance(engine, AsyncEngine):
            runner.run(engine.dispose())
        else:
            engine.dispose()
    return counts


def main(name: str, url: str) -> None:
    """Visit every page three times."""
    preparing = sqlalchemy.create_engine(url.replace("+asyncpg", "+psycopg2"))
    fill(preparing, 5)
    preparing.dispose()
    neighbour = NEIGHBOURS[name]()
    visits: dict[str, Counts] = {}
    dbprofile_sqlalchemy.install()
    neighbour.start()
    visits["dialect events"] = _visit(url, neighbour)
    dbprofile_sqlalchemy.uninstall()
    visits["without us"] = _visit(url, neighbour)
    dbprofile_sqlalchemy.install(cursor_events=True)
    visits["cursor events"] = _visit(url, neighbour)
    sys.stdout.write(json.dumps(visits))


if __name__ == "__main__":
    main(*sys.argv[1:])
