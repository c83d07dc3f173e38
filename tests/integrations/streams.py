"""A program that sends 200,000 rows of a table as one response, row by row, and prints by how much its memory grew meanwhile.

``python -m tests.integrations.streams sqlalchemy watched FILE``, or ``django``; or ``bare`` for a run without us, ``leaking`` for one
in which something keeps a few bytes of each row. Its memory is what the system says: ``tracemalloc`` would take half a minute.
"""

import gc
import json
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from dbprofile import Profile, Profiler

ROWS = 200_000
#: Rows that are read from the database at once, and instances that live at once.
CHUNK = 1_000

_Application = Callable[..., Iterable[bytes]]


def _fill(file: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE reading (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO reading SELECT i, 'reading ' || i FROM n",
            (ROWS,),
        )
        connection.commit()


def _sqlalchemy(file: str, profiler: Profiler | None) -> _Application:
    from sqlalchemy import create_engine, select  # noqa: PLC0415 - of two libraries a run has one
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column  # noqa: PLC0415

    class Base(DeclarativeBase):
        pass

    class Reading(Base):
        __tablename__ = "reading"

        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    engine = create_engine(f"sqlite:///{file}")

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        query = select(Reading).order_by(Reading.id).limit(environ["rows"])
        with Session(engine) as session:
            for reading in session.scalars(query.execution_options(yield_per=CHUNK)):
                yield f"{reading.name}\n".encode()

    if profiler is None:
        return application
    import dbprofile_sqlalchemy  # noqa: PLC0415 - a bare run has neither
    import dbprofile_wsgi  # noqa: PLC0415

    dbprofile_sqlalchemy.install()
    watched: Any = dbprofile_wsgi.ProfileMiddleware(application, profiler=profiler)
    return watched  # type: ignore[no-any-return]  # WSGI's own types are callables too


def _django(file: str, profiler: Profiler | None) -> _Application:
    import django  # noqa: PLC0415 - of two libraries a run has one
    from django.conf import settings  # noqa: PLC0415

    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": file}},
        DBPROFILE={"profiler": profiler},
        INSTALLED_APPS=["dbprofile_django"] if profiler else [],
        MIDDLEWARE=["dbprofile_django.ProfileMiddleware"] if profiler else [],
        ROOT_URLCONF=sys.modules[__name__],
        SECRET_KEY="not secret",
    )
    django.setup()
    from django.core.handlers.wsgi import WSGIHandler  # noqa: PLC0415 - once it is set up
    from django.db import models  # noqa: PLC0415
    from django.http import HttpRequest, StreamingHttpResponse  # noqa: PLC0415
    from django.urls import path  # noqa: PLC0415

    class Reading(models.Model):
        id: Any = models.IntegerField(primary_key=True)
        name: Any = models.TextField()

        class Meta:
            app_label = "streams"
            db_table = "reading"

    def stream(request: HttpRequest) -> StreamingHttpResponse:
        readings = Reading.objects.order_by("id")[: request.environ["rows"]]  # type: ignore[attr-defined]  # a WSGIRequest
        return StreamingHttpResponse(f"{reading.name}\n".encode() for reading in readings.iterator(chunk_size=CHUNK))

    urlpatterns.append(path("", stream))
    handler: Any = WSGIHandler()
    return handler  # type: ignore[no-any-return]  # as above


urlpatterns: list[Any] = []


def _serve(application: _Application, rows: int, kept: list[bytes] | None = None) -> int:
    """The length of a response of so many rows."""
    environ: dict[str, Any] = {"rows": rows}
    setup_testing_defaults(environ)
    body: Any = application(environ, lambda *_: None)
    length = 0
    for part in body:
        length += len(part)
        if kept is not None:
            kept.append(part)
    if hasattr(body, "close"):
        body.close()
    return length


def _most_bytes(*, anew: bool = False) -> int:
    """The most memory that the process has had, or has now: as Linux tells it, whose ``ru_maxrss`` begins with that of the parent."""
    if anew:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) * 1024


def main(library: str, kind: str, file: str) -> None:
    """Serve a short response to fill every cache, and then the long one."""
    _fill(file)
    profiles: list[Profile] = []
    profiler = Profiler(sinks=[lambda report: profiles.append(report.profile)]) if kind == "watched" else None
    application = {"sqlalchemy": _sqlalchemy, "django": _django}[library](file, profiler)
    _serve(application, 3 * CHUNK)
    profiles.clear()
    gc.collect()
    before = _most_bytes(anew=True)
    length = _serve(application, ROWS, [] if kind == "leaking" else None)
    grown = _most_bytes() - before
    seen = [(query.rows, query.phase) for profile in profiles for query in profile.counted]
    sys.stdout.write(json.dumps({"grown": grown, "length": length, "seen": seen}))


if __name__ == "__main__":
    main(*sys.argv[1:])
