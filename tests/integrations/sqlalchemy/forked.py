"""A program that forks as a preloading server does, in the middle of a scope: what parent and child saw, as one line of JSON.

``python -m tests.integrations.sqlalchemy.forked FILE DOOR``: a fork of the test's own process would take its threads for its own.
"""

import json
import os
import sys
import threading
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, event, text

import dbprofile
import dbprofile_sqlalchemy
from dbprofile import Profile
from tests.ledger import Ledger


def _ask(engine: Engine, who: str) -> None:
    with engine.connect() as connection:
        connection.execute(text(f"SELECT '{who}'")).all()


def _told(profile: Profile, ledger: Ledger) -> dict[str, Any]:
    return {
        "texts": [query.sql for query in profile.queries],
        "untracked": sum(profile.untracked.values()),
        "late": sum(profile.late.values()),
        "sent": len(ledger.sent),
        "threads": threading.active_count(),
    }


def _in_child(engine: Engine, ledger: Ledger, inherited: dbprofile.Recording) -> dict[str, Any]:
    ledger.forget()
    assert dbprofile.current_scope() is None
    watching = dbprofile.Profiler().scope("block", "open, but not current")
    _ask(engine, "child, outside")
    with watching:
        _ask(engine, "child")
    return _told(watching.profile(), ledger) | {"inherited": len(inherited.queries)}


def main(file: str, door: str) -> None:
    dbprofile_sqlalchemy.install(cursor_events=door == "cursor events")
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    reader, writer = os.pipe()
    with Ledger() as ledger, dbprofile.record() as recording:
        event.listen(engine, "connect", lambda connection, _record: ledger.watch(connection))
        _ask(engine, "parent")
        child = os.fork()
        if child == 0:
            os.write(writer, json.dumps(_in_child(engine, ledger, recording)).encode())
            os._exit(0)  # not through the parent's open blocks
        os.waitpid(child, 0)
        _ask(engine, "parent again")
    told = {"parent": _told(recording.report.profile, ledger), "child": json.loads(os.read(reader, 10_000))}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
