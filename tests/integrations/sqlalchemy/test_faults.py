"""A fault in any function of ours: the application gets the same rows, and sends the same statements."""

import inspect
import logging
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, event, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, joinedload, selectinload

import dbprofile
import dbprofile_sqlalchemy
from dbprofile import guard, hooks
from dbprofile_sqlalchemy import (
    cursor_events,
    databases,
    fetches,
    lineages,
    provenance,
    queries,
    relations,
    sessions,
    statements,
    transactions,
)
from tests.integrations.sqlalchemy.models import Author, Book, Tag, fill

MODULES: tuple[ModuleType, ...] = (
    databases,
    fetches,
    lineages,
    provenance,
    relations,
    sessions,
    statements,
    transactions,
)


def _own_functions(module: ModuleType) -> Iterator[tuple[ModuleType, str]]:
    for name, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == module.__name__:
            yield module, name


#: The first three only read or set an attribute, outside any guard, to tell the calls of one batch, and the fourth is a fetch of the
#: application's; the others are not met by a statement on SQLite, or only when something is installed or a report made.
QUIET = {
    "batch_of", "continue_batch", "keep_batch", "_next_row", "classes_beside", "forget_engine", "forget_engines", "forget_relations",
    "heirs_of", "listen", "unlisten",
    "hear_transactions", "leave_transactions", "_taking_back", "_setting_savepoint",
}  # fmt: skip
#: What the doors call, and what that calls: all of it may fail. The listeners themselves hold nothing but calls of these.
PLACES = [place for module in MODULES for place in _own_functions(module) if place[1] not in QUIET]


@pytest.fixture
def failing_open() -> Iterator[None]:
    guard.reraising(False)
    guard.reset_faults()
    yield
    guard.reset_faults()
    guard.reraising(True)


def _work(engine: Engine, sent: list[tuple[str, Any]]) -> list[Any]:
    """What an application does with a Session and a Connection, and all it gets back."""
    sent.clear()
    got: list[Any] = []
    with Session(engine) as session, Session(engine) as beside:
        with hooks.muted():
            unseen = session.get_one(Tag, 1)
        session.expire(unseen)
        got.append(unseen.name)
        got.append(beside.scalar(select(Tag.name).order_by(Tag.id)))
        got.extend(author.name for author in session.scalars(select(Author)))
        session.expire_all()
        got.extend(author.name for author in session.identity_map.values() if isinstance(author, Author))
        new = Tag(name="new")
        session.add(new)
        session.flush()
        session.expire(new, ["name"])
        got.append(new.name)
        session.rollback()
        got.extend(
            (book.title, book.author.country.name, [tag.name for tag in book.tags])
            for book in session.scalars(select(Book).options(joinedload(Book.author)).order_by(Book.id))
        )
        got.extend(author.bio for author in session.scalars(select(Author).options(selectinload(Author.books))))
        session.add_all([Tag(name="one"), Tag(name="two")])
        session.flush()
        session.rollback()
        with session.begin_nested() as savepoint:
            session.add_all([Tag(name="one"), Tag(name=None)])
            with pytest.raises(DBAPIError):
                session.flush()
            savepoint.rollback()
        got.append(session.scalar(select(func.count()).select_from(Tag)))
        session.execute(update(Author).values(name="x").execution_options(synchronize_session=False))
        session.rollback()
    with engine.connect() as connection:
        got.extend(tuple(row) for row in connection.execute(select(Author.id)).partitions(2))
        got.extend(connection.execute(text("SELECT id FROM tag ORDER BY id")).fetchmany(3))
        got.append(connection.execute(text("UPDATE tag SET name = :n"), [{"n": "a"}, {"n": "b"}]).rowcount)
        try:
            connection.execute(text("SELECT nothing FROM nowhere"))
        except DBAPIError as error:
            got.append((type(error), str(error)))
        connection.rollback()
    return [*got, *sent]


@pytest.fixture
def sent() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def watched(sent: list[tuple[str, Any]]) -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    fill(engine, 4)

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    yield engine
    engine.dispose()


def _replaced(module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a function fail wherever it is known by its name, inside its guard where it has one."""
    failures: list[str] = []
    original: Callable[..., Any] = getattr(module, name)

    def fail(*_arguments: Any, **_keywords: Any) -> Any:
        failures.append(name)
        raise ZeroDivisionError

    guarded = getattr(original, "__wrapped__", None)
    replacement = hooks.guarded(f"fault in {name}", None)(fail) if guarded is not None else fail
    for other in (*MODULES, queries, cursor_events):
        for known, value in list(vars(other).items()):
            if value is original:
                monkeypatch.setattr(other, known, replacement)
            elif known == "_LISTENERS":
                pairs = tuple((to, replacement if listener is original else listener) for to, listener in value)
                monkeypatch.setattr(other, known, pairs)
    return failures


@pytest.mark.usefixtures("failing_open")
@pytest.mark.parametrize("cursor_door", [False, True])
@pytest.mark.parametrize(("module", "name"), PLACES, ids=lambda value: getattr(value, "__name__", value))
def test_a_fault_in(
    module: ModuleType,
    name: str,
    cursor_door: bool,
    watched: Engine,
    sent: list[tuple[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = _work(watched, sent)
    failures = _replaced(module, name, monkeypatch)
    relations._relations.clear()
    dbprofile_sqlalchemy.install(cursor_events=cursor_door)
    try:
        with caplog.at_level(logging.ERROR, "dbprofile"), dbprofile.record():
            assert _work(watched, sent) == expected
    finally:
        dbprofile_sqlalchemy.uninstall()
        monkeypatch.undo()
    assert failures
    assert caplog.records


@pytest.mark.parametrize("cursor_door", [False, True])
def test_without_a_fault_everything_is_the_same_too(
    cursor_door: bool, watched: Engine, sent: list[tuple[str, Any]]
) -> None:
    expected = _work(watched, sent)
    dbprofile_sqlalchemy.install(cursor_events=cursor_door)
    try:
        with dbprofile.record() as recording:
            assert _work(watched, sent) == expected
    finally:
        dbprofile_sqlalchemy.uninstall()
    assert recording.queries
