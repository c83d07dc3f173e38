"""Raw drivers: each statement once, in its scope, with its rows and times, whatever the driver makes its cursors of."""

import asyncio
import dataclasses
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import psycopg2
import psycopg2.extensions
import psycopg2.extras
import pymysql
import pytest
from psycopg import sql
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

import dbprofile
import dbprofile_dbapi
import dbprofile_sqlalchemy
from dbprofile import Profiler, record
from tests import services
from tests.integrations.sqlalchemy.models import Tag
from tests.ledger import Ledger, telling

Connect = Callable[[], Any]

CONNECTS: dict[str, Callable[[services.TemporaryDatabase], Any]] = {
    "sqlite3": lambda database: sqlite3.connect(database.name),
    "psycopg": lambda database: psycopg.connect(_dsn(database)),
    "psycopg2": lambda database: psycopg2.connect(_dsn(database)),
    "pymysql": lambda database: pymysql.connect(
        host=database.host, port=database.port, user=database.user, password=database.password, database=database.name
    ),
}
DRIVERS = [
    pytest.param("sqlite", "sqlite3", id="sqlite3"),
    pytest.param("postgresql", "psycopg", id="psycopg", marks=pytest.mark.service("postgresql")),
    pytest.param("postgresql", "psycopg2", id="psycopg2", marks=pytest.mark.service("postgresql")),
    pytest.param("mariadb", "pymysql", id="pymysql", marks=pytest.mark.service("mariadb")),
]
MARKS = {"sqlite3": "?"}


def _dsn(database: services.TemporaryDatabase) -> str:
    password = f" password={database.password}" if database.password else ""
    return f"host={database.host} port={database.port} user={database.user} dbname={database.name}{password}"


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    before = [vars(module)["connect"] for module in (sqlite3, psycopg, psycopg2, pymysql)]
    dbprofile_dbapi.install("sqlite3", "psycopg", "psycopg2", "pymysql")
    yield
    dbprofile_dbapi.uninstall()
    assert [vars(module)["connect"] for module in (sqlite3, psycopg, psycopg2, pymysql)] == before


@pytest.fixture
def database(system: services.System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.TemporaryDatabase]:
    with services.temporary_database(system, tmp_path_factory.mktemp("database")) as temporary, telling(temporary):
        yield temporary


@pytest.fixture
def connection(database: services.TemporaryDatabase, driver: str) -> Iterator[Any]:
    with closing(CONNECTS[driver](database)) as opened:
        cursor = opened.cursor()
        cursor.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, body VARCHAR(50))")
        cursor.execute("INSERT INTO note VALUES (1, 'one'), (2, 'two'), (3, 'three')")
        cursor.close()
        opened.commit()
        yield opened


@pytest.fixture
def ledger(connection: Any) -> Iterator[Ledger]:
    with Ledger() as account:
        account.watch(dbprofile_dbapi.unwrap(connection))
        yield account


# --- each statement once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_a_statement_is_one_query_with_its_rows_and_its_fetches(connection: Any, ledger: Ledger, driver: str) -> None:
    mark = MARKS.get(driver, "%s")
    with record() as recording:
        cursor = connection.cursor()
        cursor.execute(f"SELECT id, body FROM note WHERE id >= {mark} ORDER BY id", (1,))
        assert cursor.fetchone()[1] == "one"
        assert len(cursor.fetchmany(1)) == 1
        assert [row[0] for row in cursor] == [3]

    (query,) = recording.queries
    assert (query.rows, len(ledger.sent)) == (3, 1)
    assert query.fetches >= 3
    assert query.call_site is not None
    assert query.call_site.file == __file__
    assert query.parameters is not None
    assert query.parameters.count == 1


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_a_write_knows_its_rows_and_a_batch_is_one_query(connection: Any, ledger: Ledger, driver: str) -> None:
    mark = MARKS.get(driver, "%s")
    with record() as recording:
        cursor = connection.cursor()
        cursor.execute("UPDATE note SET body = 'new' WHERE id < 3")
        cursor.executemany(f"INSERT INTO note VALUES ({mark}, {mark})", [(number, "x") for number in range(10, 14)])
    update, insertion = recording.queries

    assert update.affected_rows == 2
    assert (insertion.batch_size, insertion.parameters) == (4, None)
    assert len(ledger.sent) >= 2


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_a_failing_statement_is_recorded_and_its_exception_passes(connection: Any, driver: str) -> None:
    expected = {"sqlite3": sqlite3.OperationalError, "psycopg": psycopg.errors.UndefinedTable}
    with record() as recording, pytest.raises(expected.get(driver, Exception)) as raised:
        connection.cursor().execute("SELECT * FROM no_such_table")

    (query,) = recording.queries
    assert query.error == type(raised.value).__name__
    assert query.error_code in {"SQLITE_ERROR", "42P01", "1146"}


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_sql_is_data(connection: Any, driver: str) -> None:
    percent = "%" if driver == "sqlite3" else "%%"
    statement = f"SELECT '{{}} 100{percent} {{name}}' AS told FROM note WHERE id = {MARKS.get(driver, '%s')}"
    with record() as recording:
        cursor = connection.cursor()
        cursor.execute(statement, (1,))
        assert cursor.fetchall()[0][0] == "{} 100% {name}"
    (query,) = recording.queries

    assert query.sql == statement


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_an_iterator_of_parameters_is_consumed_once_and_by_the_driver(connection: Any, driver: str) -> None:
    mark = MARKS.get(driver, "%s")
    sets = ((number, "x") for number in range(20, 23))
    with record() as recording:
        connection.cursor().executemany(f"INSERT INTO note VALUES ({mark}, {mark})", sets)
    (query,) = recording.queries

    assert (query.batch_size, query.parameters) == (None, None)
    cursor = connection.cursor()
    cursor.execute("SELECT count(*) FROM note WHERE id >= 20")
    assert cursor.fetchone()[0] == 3


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_without_a_scope_statements_are_counted_as_untracked_by_their_thread(connection: Any) -> None:
    def ask() -> None:
        connection.cursor().execute("SELECT 1")

    with Profiler().scope("request", "r") as scope:
        thread = threading.Thread(
            target=lambda: ask() if not isinstance(connection, sqlite3.Connection) else None, name="t"
        )
        thread.start()
        thread.join()
    expected = {} if isinstance(connection, sqlite3.Connection) else {"t": 1}

    assert dict(scope.profile().untracked) == expected
    assert not scope.profile().queries


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_a_loop_over_keys_is_found_by_its_call_path(connection: Any, driver: str) -> None:
    mark = MARKS.get(driver, "%s")
    with record() as recording:
        cursor = connection.cursor()
        for number in (1, 2, 3):
            cursor.execute(f"SELECT body FROM note WHERE id = {mark}", (number,))
            cursor.fetchall()

    assert [(finding.code, finding.count) for finding in recording.findings] == [("DBP102", 3)]


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_the_database_is_named_without_its_user(connection: Any, database: services.TemporaryDatabase) -> None:
    with record() as recording:
        connection.cursor().execute("SELECT 1")
    named = recording.queries[0].database

    assert named.namespace == database.name
    assert named.host in {None, database.host}
    assert not {"user", "password"} & {field.name for field in dataclasses.fields(named)}


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_a_connection_that_is_open_already_can_be_wrapped(database: services.TemporaryDatabase, driver: str) -> None:
    dbprofile_dbapi.uninstall()
    with closing(CONNECTS[driver](database)) as plain:
        watched = dbprofile_dbapi.wrap(plain)
        assert dbprofile_dbapi.wrap(watched) is watched
        assert dbprofile_dbapi.unwrap(watched) is plain
        with record() as recording:
            cursor = watched.cursor()
            cursor.execute("SELECT 42")
            assert cursor.fetchall()[0][0] == 42
            with watched.cursor() if driver != "sqlite3" else closing(watched.cursor()) as entered:
                entered.execute("SELECT 43")
    dbprofile_dbapi.install("sqlite3", "psycopg", "psycopg2", "pymysql")

    assert [query.rows for query in recording.queries] == [1, None]


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
def test_a_wrapped_cursor_is_stepped_through_and_knows_its_wrapped_connection(
    database: services.TemporaryDatabase, driver: str
) -> None:
    dbprofile_dbapi.uninstall()
    with closing(CONNECTS[driver](database)) as plain:
        watched = dbprofile_dbapi.wrap(plain)
        with record() as recording:
            cursor = watched.cursor()
            cursor.execute("SELECT 1 UNION ALL SELECT 2")
            if hasattr(dbprofile_dbapi.unwrap(cursor), "__next__"):
                assert next(cursor)[0] == 1
                assert next(cursor)[0] == 2
                assert next(cursor, None) is None
            else:
                assert len(list(cursor)) == 2
            assert cursor.connection is watched
    dbprofile_dbapi.install("sqlite3", "psycopg", "psycopg2", "pymysql")

    assert [query.rows for query in recording.queries] == [2]


# --- each driver's own ------------------------------------------------------------------------------------------------


def test_short_cuts_of_a_connection_of_sqlite_are_seen_once(tmp_path: Any) -> None:
    connection = sqlite3.connect(tmp_path / "notes.sqlite3")
    with closing(connection), Ledger() as ledger, record() as recording:
        ledger.watch(connection)
        connection.executescript("CREATE TABLE note (id); INSERT INTO note VALUES (0)")
        connection.executemany("INSERT INTO note VALUES (?)", [(1,), (2,)])
        assert connection.execute("SELECT id FROM note").fetchall() == [(0,), (1,), (2,)]

    script, batch, rows = recording.queries
    assert (script.statement.verb, batch.batch_size, rows.rows) == ("CREATE", 2, 3)
    assert len(ledger.sent) == 5  # the script's two statements, each set of the batch, the question


def test_classes_that_the_application_chose_stay_its_own(tmp_path: Any) -> None:
    class Connection(sqlite3.Connection):
        def shout(self) -> str:
            return "own"

    class Cursor(sqlite3.Cursor):
        pass

    with closing(sqlite3.connect(tmp_path / "own.sqlite3", factory=Connection)) as connection:
        assert isinstance(connection, Connection)
        assert connection.shout() == "own"
        cursor = connection.cursor(Cursor)
        assert isinstance(cursor, Cursor)
        connection.row_factory = sqlite3.Row
        with record() as recording:
            assert connection.execute("SELECT 1 AS one").fetchone()["one"] == 1
            cursor.execute("SELECT 2")
    assert recording.query_count == 2


def test_a_function_of_the_database_written_in_python_asks_for_itself(tmp_path: Any) -> None:
    connection = sqlite3.connect(tmp_path / "function.sqlite3")
    inner = sqlite3.connect(tmp_path / "function.sqlite3")
    with closing(connection), closing(inner):
        connection.create_function("ask", 0, lambda: inner.execute("SELECT 7").fetchone()[0])
        with record() as recording:
            assert connection.execute("SELECT ask()").fetchone() == (7,)

    assert sorted(query.sql for query in recording.queries) == ["SELECT 7", "SELECT ask()"]


@pytest.mark.service("postgresql")
def test_functions_of_psycopg2_refuse_nothing(postgresql_database: services.TemporaryDatabase) -> None:
    with closing(psycopg2.connect(_dsn(postgresql_database))) as connection, record() as recording:
        cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
        cursor.execute("SELECT 1 AS one")
        assert cursor.fetchone()["one"] == 1
        psycopg2.extras.execute_values(connection.cursor(), "SELECT * FROM (VALUES %s) AS t", [(1,), (2,)])
        assert psycopg2.extensions.quote_ident("a b", connection) == '"a b"'
        assert psycopg2.extensions.quote_ident("a b", cursor) == '"a b"'
        unicode = psycopg2.extensions.UNICODE
        psycopg2.extensions.register_type(unicode, connection)
        psycopg2.extensions.register_type(unicode, cursor)
        assert isinstance(psycopg2.sql.SQL("SELECT {}").format(psycopg2.sql.Identifier("a")).as_string(cursor), str)
        named = connection.cursor("named")
        named.execute("SELECT generate_series(1, 5)")
        assert len(list(named)) == 5

    assert [query.rows for query in recording.queries] == [1, None, 5]


@pytest.mark.service("postgresql")
def test_psycopg_is_seen_through_its_short_cut_its_sql_objects_and_its_named_cursors(
    postgresql_database: services.TemporaryDatabase,
) -> None:
    with psycopg.Connection.connect(_dsn(postgresql_database)) as connection, record() as recording:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        composed = sql.SQL("SELECT {}").format(sql.Literal("secret"))
        assert connection.execute(composed).fetchone() == ("secret",)
        assert connection.execute(b"SELECT 2").fetchall() == [(2,)]
        with connection.cursor("named") as cursor:
            cursor.execute("SELECT generate_series(1, 5)")
            assert len(cursor.fetchall()) == 5

    assert [query.rows for query in recording.queries] == [1, 1, 1, 5]
    assert "secret" not in recording.queries[1].statement.text


@pytest.mark.service("postgresql")
def test_an_asynchronous_connection_of_psycopg_is_seen_and_blocks_no_loop(
    postgresql_database: services.TemporaryDatabase,
) -> None:
    async def ask() -> dbprofile.Recording:
        async with await psycopg.AsyncConnection.connect(_dsn(postgresql_database)) as connection:
            with record() as recording:
                cursor = await connection.execute("SELECT generate_series(1, 3)")
                assert [row async for row in cursor] == [(1,), (2,), (3,)]
                async with connection.cursor() as other:
                    await other.execute("SELECT 1")
                    assert await other.fetchone() == (1,)
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(connection.execute("SELECT pg_sleep(5)"), 0.05)
            return recording

    recording = asyncio.run(ask())
    assert [query.rows for query in recording.queries[:2]] == [3, 1]
    assert recording.queries[2].error is not None
    assert not any(query.on_loop for query in recording.queries)
    assert all(query.call_site is not None and query.call_site.file == __file__ for query in recording.queries)


# --- two layers see one statement ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "driver"),
    [
        ("sqlite", "pysqlite"),
        pytest.param("postgresql", "psycopg", marks=pytest.mark.service("postgresql")),
        pytest.param("postgresql", "psycopg2", marks=pytest.mark.service("postgresql")),
        pytest.param("mariadb", "pymysql", marks=pytest.mark.service("mariadb")),
    ],
)
def test_sqlalchemy_over_a_watched_driver_records_each_statement_once(
    database: services.TemporaryDatabase, driver: str
) -> None:
    dbprofile_sqlalchemy.install()
    engine = create_engine(database.sqlalchemy_url(driver), pool_pre_ping=True)
    try:
        Tag.metadata.tables["tag"].create(engine)
        with record() as recording, engine.connect() as connection:
            connection.execute(text("SELECT 1")).all()
            connection.execute(insert(Tag), [{"id": number, "name": "x"} for number in range(1, 6)])
            assert len(connection.execute(select(Tag.id)).all()) == 5
        with Profiler().scope("request", "r") as scope:
            thread = threading.Thread(target=_ask, args=(engine,), name="outside")
            thread.start()
            thread.join()
    finally:
        engine.dispose()
        dbprofile_sqlalchemy.uninstall()

    assert recording.query_count == 3
    assert [query.database.library for query in recording.report.profile.counted] == ["sqlalchemy"] * 3
    assert scope.profile().untracked.get("outside", 0) <= 2  # its ping, and its statement


def _ask(engine: Any) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def test_a_driver_in_a_thread_of_its_own_is_left_to_whoever_awaits_it(tmp_path: Any) -> None:
    dbprofile_sqlalchemy.install()

    async def ask() -> dbprofile.Recording:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'async.sqlite3'}")
        async with engine.connect() as connection:
            with record() as recording:
                await connection.execute(text("SELECT 1"))
        await engine.dispose()
        return recording

    try:
        recording = asyncio.run(ask())
    finally:
        dbprofile_sqlalchemy.uninstall()
    assert (recording.query_count, dict(recording.report.profile.untracked)) == (1, {})


# --- setting up -------------------------------------------------------------------------------------------------------


def test_installing_twice_changes_nothing_and_uninstalling_puts_all_back() -> None:
    ours = sqlite3.connect
    dbprofile_dbapi.install("sqlite3")
    assert sqlite3.connect is ours
    dbprofile_dbapi.uninstall()
    assert sqlite3.connect is not ours
    dbprofile_dbapi.uninstall()


def test_what_somebody_put_over_ours_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args: theirs(*args))
    over = sqlite3.connect
    dbprofile_dbapi.uninstall()

    assert sqlite3.connect is over
    monkeypatch.undo()
    sqlite3.connect = vars(sqlite3.dbapi2)["connect"]


@pytest.mark.parametrize(("name", "message"), [("no_such_driver", "cannot be imported"), ("json", "is no driver")])
def test_what_is_no_driver_is_an_error_at_once(name: str, message: str) -> None:
    with pytest.raises(dbprofile.ConfigurationError, match=message):
        dbprofile_dbapi.install(name)
