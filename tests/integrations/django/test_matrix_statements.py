"""Every kind of statement, once, with its rows; against the account of what was sent, on every database."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pymysql.cursors
import pytest
from django.db import DatabaseError, DataError, IntegrityError, OperationalError, connection, connections, transaction
from psycopg import sql

from dbprofile import Profile, Profiler, record
from dbprofile.capture.counters import is_transaction_control
from tests.integrations.django.account import Account
from tests.integrations.django.shop.models import Line, Order, Region
from tests.services import TemporaryDatabase

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture(autouse=True)
def _connected(account: Account) -> Iterator[None]:
    """Connected, and without the regions that the test writes."""
    kept = list(Region.objects.values_list("pk", flat=True))
    account.forget()
    yield
    connection.close()
    Region.objects.exclude(pk__in=kept).delete()


def did(block: Callable[[], object]) -> Profile:
    with record("block", profiler=Profiler()) as recorded:
        block()
    return recorded.report.profile


def execute(text: Any, parameters: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
        rows: list[Any] = cursor.fetchall()
        return rows


# --- statements of the ORM and by hand ------------------------------------------------------------------------------


def _created_at_once() -> None:
    Region.objects.bulk_create(Region(name=f"at once {number}") for number in range(20))


def _raw() -> None:
    assert len(list(Order.objects.raw("SELECT * FROM shop_order WHERE note <> %s", ["Note 1"]))) == 4


def _by_hand() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE shop_region SET name = name WHERE name <> %s", ["Region 1"])
        cursor.execute("SELECT name FROM shop_region WHERE name LIKE 'Region%%' AND name <> %s", ["Region 1"])
        assert len(cursor.fetchall()) == 4


#: What was sent, the rows that it met, and the rows that it returned.
KINDS: dict[str, tuple[Callable[[], object], list[tuple[str, int | None, int | None]]]] = {
    "save": (lambda: Region(name="saved").save(), [("INSERT shop_region", 1, 1)]),
    "bulk_create": (_created_at_once, [("INSERT shop_region", 20, 20)]),
    "update": (lambda: Region.objects.filter(name="given").update(name="new"), [("UPDATE shop_region", 1, None)]),
    "delete": (
        lambda: Region.objects.get(name="given").delete(),
        [("SELECT shop_region", None, 1), ("SELECT shop_customer", None, 0), ("DELETE shop_region", 1, None)],
    ),
    "raw": (_raw, [("SELECT shop_order", None, 4)]),
    "by hand": (_by_hand, [("UPDATE shop_region", 5, None), ("SELECT shop_region", None, 4)]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_statement_is_seen_once_with_the_rows_that_it_met(kind: str, account: Account) -> None:
    Region.objects.create(name="given")
    account.forget()
    block, expected = KINDS[kind]
    profile = did(block)
    assert account.sent() == [name for name, _, _ in expected]
    assert account.unseen(profile) == []
    assert [query.rows for query in profile.counted] == [rows for _, _, rows in expected]
    for query, (_, met, _) in zip(profile.counted, expected, strict=True):
        # Where rows come back SQLite does not know how many it wrote before they are read.
        unknown = query.database.dialect == "sqlite" and query.rows is not None
        assert query.affected_rows == (None if unknown else met)


# --- procedures -----------------------------------------------------------------------------------------------------

_PROCEDURES = {
    "postgresql": "CREATE OR REPLACE FUNCTION tidy_up(number int) RETURNS int LANGUAGE sql AS 'SELECT number + 1'",
    "mariadb": "CREATE OR REPLACE PROCEDURE tidy_up(number int) SELECT number + 1",
}


def test_a_procedure_is_one_query(account: Account, told_shop: TemporaryDatabase) -> None:
    if told_shop.system == "sqlite":
        _check_that_sqlite_has_none(account)
        return
    execute_alone(_PROCEDURES[told_shop.system])
    account.forget()

    def call() -> None:
        with connection.cursor() as cursor:
            cursor.callproc("tidy_up", [16])
            assert cursor.fetchall()[0][0] == 17

    profile = did(call)
    (query,) = profile.counted
    assert (query.sql, query.rows, query.error) == ("CALL tidy_up", 1, None)
    # Django's psycopg cursors select from the function; PyMySQL sends the arguments first, as a statement of its own.
    expected = {
        "postgresql": ['SELECT * FROM "tidy_up"(16)'],
        "mariadb": ["SET @_tidy_up_0=16", "CALL tidy_up(@_tidy_up_0)"],
    }
    assert [text.replace("`", "") for text in account.ledger.sent] == expected[told_shop.system]


def _check_that_sqlite_has_none(account: Account) -> None:
    with record("block", profiler=Profiler()) as recorded, connection.cursor() as cursor, pytest.raises(AttributeError):
        cursor.callproc("tidy_up")
    assert [query.error for query in recorded.queries] == ["AttributeError"]
    assert account.sent() == []


def execute_alone(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


# --- transactions ---------------------------------------------------------------------------------------------------


def test_savepoints_are_in_a_class_of_their_own(account: Account, told_shop: TemporaryDatabase) -> None:
    def nested() -> None:
        with transaction.atomic():
            Region.objects.create(name="outer")
            with transaction.atomic():
                Region.objects.create(name="inner")
            with suppress(LookupError), transaction.atomic():
                Region.objects.create(name="taken back")
                raise LookupError

    profile = did(nested)
    assert account.unseen(profile) == []
    assert profile.query_count == 3
    # Two savepoints are set, one is rolled back to, both are released; of what begins a transaction only SQLite's is Django's.
    begins = told_shop.system == "sqlite"
    assert profile.not_counted == {"tx": 5 + begins}
    control = [query for query in profile.queries if is_transaction_control(query.sql)]
    assert [query.sql.split()[0] for query in control] == [
        *(["BEGIN"] if begins else []), "SAVEPOINT", "RELEASE", "SAVEPOINT", "ROLLBACK", "RELEASE",
    ]  # fmt: skip
    assert len({query.transaction for query in profile.counted}) == 1
    assert "COMMIT" in account.ledger.sent_by_drivers


# --- reading --------------------------------------------------------------------------------------------------------


def _all_rows_of_a_cursor() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM shop_line")
        return len(list(cursor))


def _some_rows_of_a_cursor() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM shop_line")
        return len([row for row, _ in zip(cursor, range(3), strict=False)])


def _rows_of_an_iterator() -> int:
    return len(list(Line.objects.iterator(chunk_size=3)))


def _rows_of_a_chunked_cursor() -> int:
    cursor: Any
    with transaction.atomic(), connection.chunked_cursor() as cursor:  # a named one, where the server has them
        cursor.execute("SELECT id FROM shop_line")
        return len([*cursor.fetchmany(4), cursor.fetchone(), *cursor.fetchall()])


@pytest.mark.parametrize(
    ("read", "rows"),
    [
        (_all_rows_of_a_cursor, 10),
        (_some_rows_of_a_cursor, 4),  # zip() has taken a fourth before the range ends
        (_rows_of_an_iterator, 10),
        (_rows_of_a_chunked_cursor, 10),
    ],
)
def test_reading_row_by_row_is_one_query(
    read: Callable[[], int], rows: int, account: Account, told_shop: TemporaryDatabase
) -> None:
    answers: list[int] = []
    profile = did(lambda: answers.append(read()))
    assert answers == [min(rows, 10) if rows != 4 else 3]
    assert account.sent() == ["SELECT shop_line"]
    assert account.unseen(profile) == []
    (query,) = profile.counted
    assert query.rows == rows
    assert query.fetches >= 1
    assert query.fetch_seconds > 0
    named = told_shop.system == "postgresql" and read in {_rows_of_an_iterator, _rows_of_a_chunked_cursor}
    assert any(text.startswith("FETCH") for text in account.ledger.sent_by_drivers) == named


# --- batches --------------------------------------------------------------------------------------------------------


def test_a_batch_from_a_generator_is_consumed_once_by_the_driver(
    account: Account, told_shop: TemporaryDatabase
) -> None:
    taken: list[int] = []

    def rows() -> Iterator[list[str]]:
        for number in range(3):
            taken.append(number)
            yield [f"batch {number}"]

    def insert() -> None:
        cursor: Any
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO shop_region (name) VALUES (%s)", rows())

    profile = did(insert)
    assert taken == [0, 1, 2]
    (query,) = profile.counted
    assert (query.batch_size, query.parameters, query.values) == (None, None, None)
    assert (query.affected_rows, query.round_trips) == (3, 1)
    # PyMySQL writes one statement of it; the others execute one for each set of parameters.
    assert account.sent() == ["INSERT shop_region"] * (1 if told_shop.system == "mariadb" else 3)
    assert Region.objects.filter(name__startswith="batch").count() == 3


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parameters", "arrives"),
    [
        ("SELECT '100%', '{}', '{name}'", None, "SELECT '100%', '{}', '{name}'"),
        ("SELECT '100%%', '{}' FROM shop_region WHERE name = %s", ["nobody"], "SELECT '100%', '{}' FROM shop_region"),
        ("SELECT '%%s', '%%(name)s' FROM shop_region WHERE name = %s", ["nobody"], "SELECT '%s', '%(name)s' FROM"),
    ],
    ids=["without parameters", "with parameters", "what looks like a placeholder"],
)
def test_per_cent_signs_and_braces_are_data(
    text: str, parameters: list[str] | None, arrives: str, account: Account
) -> None:
    profile = did(lambda: execute(text, parameters))
    (query,) = profile.counted
    assert query.sql == text
    (sent,) = account.ledger.sent
    assert sent.startswith(arrives)
    assert account.unseen(profile) == []


def test_bytes_are_text(account: Account, told_shop: TemporaryDatabase) -> None:
    text = "SELECT 'né' FROM shop_region"
    if told_shop.system == "sqlite":
        with record("block", profiler=Profiler()) as recorded, pytest.raises(TypeError):
            execute(text.encode())
        assert account.sent() == []
        assert [(query.sql, query.error) for query in recorded.queries] == [(text, "TypeError")]
        return
    profile = did(lambda: execute(text.encode()))
    (query,) = profile.counted
    assert (query.sql, query.rows) == (text, 5)
    assert account.ledger.sent == [text]


def test_a_composed_statement_is_text(account: Account, told_shop: TemporaryDatabase) -> None:
    statement = sql.SQL("SELECT {} FROM {} WHERE name = %s").format(
        sql.Identifier("name"), sql.Identifier("shop_region")
    )
    if told_shop.system != "postgresql":
        with record("block", profiler=Profiler()) as recorded, pytest.raises((TypeError, DatabaseError)):
            execute(statement, ["Region 1"])
        assert account.sent() == []
        assert len(recorded.queries) == 1
        return
    profile = did(lambda: execute(statement, ["Region 1"]))
    (query,) = profile.counted
    assert (query.sql, query.rows) == ('SELECT "name" FROM "shop_region" WHERE name = %s', 1)
    assert account.unseen(profile) == []


# --- failures -------------------------------------------------------------------------------------------------------


def _driver() -> Any:
    wrapper: Any = connections["default"]
    return wrapper.Database


def test_a_failing_statement_is_recorded_with_the_class_that_django_raises(account: Account) -> None:
    key = Region.objects.values_list("pk", flat=True)[0]
    account.forget()
    with record("block", profiler=Profiler()) as recorded, pytest.raises(IntegrityError) as caught:
        Region(pk=key, name="again").save(force_insert=True)
    assert type(caught.value) is IntegrityError
    assert isinstance(caught.value.__cause__, _driver().IntegrityError)
    profile = recorded.report.profile
    assert account.sent() == ["INSERT shop_region"]
    assert account.unseen(profile) == []
    (query,) = profile.counted
    assert (query.error, query.rows, query.affected_rows) == ("IntegrityError", None, None)
    hidden = [entry.locals.get("__tracebackhide__") for entry in caught.traceback]
    assert hidden.count(True) == 1, "our one frame is shown in tracebacks, or there are more"


def _boom_on_sqlite() -> list[Any]:
    def boom(number: int) -> int:
        return 1 // (3 - number)

    wrapper: Any = connections["default"]
    wrapper.connection.create_function("boom", 1, boom)
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 9) "
    return execute(f"{numbers}SELECT boom(x) FROM n, shop_region LIMIT 60")


def _boom_on_postgresql() -> list[Any]:
    cursor: Any
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute("SELECT 1 / (3 - x) FROM generate_series(1, 9) AS x, shop_region")
        rows: list[Any] = cursor.fetchall()
        return rows


def _boom_on_mariadb() -> list[Any]:
    wrapper: Any = connections["default"]
    wrapper.ensure_connection()
    cursor = wrapper.make_cursor(wrapper.connection.cursor(pymysql.cursors.SSCursor))
    several = "(SELECT id FROM shop_line AS l WHERE s.seq > 900 AND l.id > 0)"
    cursor.execute(f"SELECT IF(s.seq < 900, 1, {several}) FROM seq_1_to_1000 AS s")
    rows: list[Any] = cursor.fetchall()
    return rows


def test_a_failing_fetch_is_recorded_with_the_class_that_django_raises(
    account: Account, told_shop: TemporaryDatabase
) -> None:
    boom, error = {
        "sqlite": (_boom_on_sqlite, OperationalError),
        "postgresql": (_boom_on_postgresql, DataError),
        "mariadb": (_boom_on_mariadb, OperationalError),
    }[told_shop.system]
    with record("block", profiler=Profiler()) as recorded, pytest.raises(DatabaseError) as caught:
        boom()
    assert type(caught.value) is error
    assert isinstance(caught.value.__cause__, getattr(_driver(), error.__name__))
    profile = recorded.report.profile
    assert account.unseen(profile) == []
    (query,) = [query for query in profile.counted if query.statement.verb in {"SELECT", "WITH"}]
    assert query.error == error.__name__
    assert query.fetches == 1
    assert query.seconds > 0
