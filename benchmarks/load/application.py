"""The application under load, for both kinds of server: ``/orders/<n>`` sends 1 to 8 statements, as many as ``n`` says.

The mode and the folder of the tallies come from the environment, because a server imports the application in each of its workers.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from dbprofile import Profiler, Report, current_scope

__all__ = ["asgi", "wsgi"]

#: None of ours, counters alone, or full.
MODE = os.environ.get("LOAD_MODE", "full")
DETAIL_LIMITS = {"counters": 0, "full": 1_000}
#: Requests of a worker after which its memory is taken for the first time.
WARM = int(os.environ.get("LOAD_WARM", "1000"))
_FILES = Path("/proc/self/fd")
ONE = text("SELECT id, name FROM load_customer WHERE id = :id")


def statements_of(number: int) -> int:
    """How many statements a request sends."""
    return number % 8 + 1


class Tally:
    """What a worker has seen: counted by a sink, written down when the worker ends."""

    def __init__(self) -> None:
        self.requests = self.wrong = self.untracked = self.warm = 0
        self._lock = threading.Lock()

    def __call__(self, report: Report) -> None:
        """Compare a request's count with what its handler said it would send."""
        profile = report.profile
        sent = profile.labels.get("load.sent")
        with self._lock:
            self.requests += sent is not None
            self.wrong += sent is not None and profile.query_count != sent
            self.untracked += sum(profile.untracked.values())
            if self.requests == WARM:
                self.warm = memory()

    def write(self) -> None:
        """Into a file of the worker's own."""
        folder = os.environ.get("LOAD_TALLIES")
        if folder:
            figures = {
                "requests": self.requests,
                "wrong": self.wrong,
                "untracked": self.untracked,
                "warm_kilobytes": self.warm,
                "kilobytes": memory(),
                "threads": threading.active_count(),
                "files": len(list(_FILES.iterdir())) if _FILES.is_dir() else 0,
            }
            Path(folder, f"{os.getpid()}.json").write_text(json.dumps(figures), encoding="utf-8")


def memory() -> int:
    """Resident memory of this process in kilobytes; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


tally = Tally()


def profiler() -> Profiler | None:
    """That of the mode; ``None`` without us."""
    return Profiler(sinks=[tally], detail_limit=DETAIL_LIMITS[MODE]) if MODE in DETAIL_LIMITS else None


def announce(count: int) -> None:
    """Tell the sink what this request sends."""
    scope = current_scope()
    if scope is not None:
        scope.labels["load.sent"] = count


def asgi() -> Starlette:
    """For uvicorn: Starlette and an AsyncEngine."""
    engine = create_async_engine(os.environ["LOAD_DATABASE"].replace("+psycopg", "+asyncpg"), pool_size=10)

    async def orders(request: Request) -> PlainTextResponse:
        count = statements_of(int(request.path_params["number"]))
        announce(count)
        async with engine.connect() as connection:
            for number in range(count):
                (await connection.execute(ONE, {"id": number + 1})).one()
        return PlainTextResponse(str(count))

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        yield
        tally.write()
        await engine.dispose()

    application = Starlette(routes=[Route("/orders/{number}", orders)], lifespan=lifespan)
    found = profiler()
    if found is not None:
        import dbprofile_sqlalchemy  # noqa: PLC0415 - nothing of ours without a profiler
        from dbprofile_asgi import ProfileMiddleware  # noqa: PLC0415 - as above

        dbprofile_sqlalchemy.install()
        application.add_middleware(ProfileMiddleware, profiler=found)
    return application


def wsgi() -> Flask:
    """For gunicorn: Flask and an Engine."""
    engine = create_engine(os.environ["LOAD_DATABASE"], pool_size=10)
    application = Flask(__name__)

    @application.get("/orders/<int:number>")
    def orders(number: int) -> str:
        count = statements_of(number)
        announce(count)
        with engine.connect() as connection:
            for each in range(count):
                connection.execute(ONE, {"id": each + 1}).one()
        return str(count)

    found = profiler()
    if found is not None:
        import dbprofile_sqlalchemy  # noqa: PLC0415 - nothing of ours without a profiler
        from dbprofile_flask import DBProfile  # noqa: PLC0415 - as above

        dbprofile_sqlalchemy.install()
        DBProfile(application, profiler=found)
    return application


def worker_exit(_server: object, _worker: object) -> None:
    """Gunicorn's hook: a worker ends."""
    tally.write()
