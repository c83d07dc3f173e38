"""A program that gevent has patched: statements of greenlets, with and without scopes of their own, as one line of JSON.

``python -m tests.integrations.sqlalchemy.gevented URL DOOR``: gevent has to patch a process before anything else is imported.
"""

from gevent import monkey

monkey.patch_all()

import asyncio  # noqa: E402 - patched first
import json  # noqa: E402
import sys  # noqa: E402
from contextvars import copy_context  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from sqlalchemy import Engine, create_engine, event, text  # noqa: E402

import dbprofile_sqlalchemy  # noqa: E402
from dbprofile import Profile, Profiler, record  # noqa: E402
from tests.ledger import Ledger  # noqa: E402

GREENLETS = 8
TURNS = 3


def _ask(engine: Engine, greenlet: int) -> None:
    with engine.connect() as connection:
        for turn in range(TURNS):
            connection.execute(text(f"SELECT {greenlet} AS greenlet, {turn} AS turn, SLEEP(0.01)")).all()


def _together(run: Any) -> None:
    gevent.joinall([gevent.spawn(run, number) for number in range(GREENLETS)], raise_error=True)


def _in_a_scope_round_them(engine: Engine) -> dict[str, Any]:
    with record() as recording:
        _together(lambda number: _ask(engine, number))
    profile = recording.report.profile
    return {"seen": len(profile.queries), "untracked": sum(profile.untracked.values())}


def _in_a_scope_of_the_process(engine: Engine) -> dict[str, Any]:
    with Profiler().scope("test", "all of it", reach="process") as scope:
        _together(lambda number: _ask(engine, number))
    profile = scope.profile()
    return {"seen": len(profile.queries), "untracked": sum(profile.untracked.values())}


def _in_scopes_of_their_own(engine: Engine) -> dict[str, Any]:
    profiles: list[Profile] = []
    profiler = Profiler(sinks=[lambda report: profiles.append(report.profile)])

    def serve(number: int) -> None:
        with profiler.scope("request", str(number)):
            _ask(engine, number)

    _together(serve)
    return {
        "seen": sum(len(profile.queries) for profile in profiles),
        "right": sum(
            query.sql.startswith(f"SELECT {profile.name} AS") for profile in profiles for query in profile.queries
        ),
        "interleaved": max(query.started for profile in profiles for query in profile.queries[:1])
        < min(query.started for profile in profiles for query in profile.queries[-1:]),
    }


def _in_a_copied_context(engine: Engine) -> dict[str, Any]:
    with record() as recording:
        greenlet = gevent.spawn(_ask, engine, 1)
        greenlet.gr_context = copy_context()
        greenlet.join()
    return {
        "seen": len(recording.queries),
        "lanes": sorted({query.lane for query in recording.queries}),
        "lines": sorted({query.call_site.function for query in recording.queries if query.call_site}),
    }


def _on_a_loop(engine: Engine) -> dict[str, Any]:
    async def ask() -> None:
        _ask(engine, 1)

    with record() as recording:
        asyncio.run(ask())
    return {"seen": len(recording.queries), "blocking": sum(query.on_loop for query in recording.queries)}


def main(url: str, door: str) -> None:
    engine = create_engine(url, pool_size=GREENLETS)
    dbprofile_sqlalchemy.install(cursor_events=door == "cursor events")
    with Ledger() as ledger:
        event.listen(engine, "connect", lambda connection, _record: ledger.watch(connection))
        _together(lambda number: _ask(engine, number))
        found = {}
        for case in (
            _in_a_scope_round_them, _in_a_scope_of_the_process, _in_scopes_of_their_own, _in_a_copied_context, _on_a_loop,
        ):  # fmt: skip
            ledger.forget()
            found[case.__name__] = case(engine) | {"sent": sum("AS greenlet" in sent for sent in ledger.sent)}
    engine.dispose()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
