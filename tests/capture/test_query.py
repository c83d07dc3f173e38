from collections.abc import Iterator

import pytest

from dbprofile.capture.database import Database
from dbprofile.capture.query import Query, digest, text_of
from tests.building import SQLITE, read


@pytest.mark.parametrize("one", [(1,), (True,), (1.0,), ("1",), (b"1",)])
def test_values_of_different_types_are_different_parameters(one: tuple[object, ...]) -> None:
    others = [other for other in [(1,), (True,), (1.0,), ("1",), (b"1",)] if type(other[0]) is not type(one[0])]

    assert digest(one) == digest(one)
    assert all(digest(one) != digest(other) for other in others)


def test_a_list_and_a_tuple_and_named_values_are_digested() -> None:
    assert digest([1, 2]) == digest((1, 2))
    named = digest({"a": 1, "b": 2})
    assert named is not None
    assert (named.names, named.count) == (("a", "b"), 2)


def test_only_the_ends_of_many_values_are_kept() -> None:
    many = digest(tuple(range(10_000)))

    assert many is not None
    assert many.head == tuple(range(8))
    assert many.tail == tuple(range(9_992, 10_000))
    assert many != digest((*range(9_999), "x"))


def test_an_iterator_is_never_consumed() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    iterator = numbers()

    assert digest(iterator) is None
    assert list(iterator) == [1]


def test_what_cannot_be_hashed_has_no_digest() -> None:
    assert digest(({"a": 1},)) is None
    assert digest(([1, 2], "x")) == digest(([1, 2], "x")) != digest(([1, 3], "x"))
    assert digest((list(range(1000)),)) is None
    assert digest((memoryview(bytearray(b"document")),)) is None
    assert digest(([1], memoryview(bytearray(b"document")))) is None


class _Array(list[object]):
    """What numpy does with the question whether an array is true."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


class _NoList:
    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __len__(self) -> int:
        raise RuntimeError("it would ask the database")


def test_parameters_are_not_asked_whether_they_are_true() -> None:
    assert digest(_Array([1, 2])) == digest((1, 2))
    assert digest(_NoList()) is None


@pytest.mark.parametrize("nothing", [None, (), [], {}])
def test_no_parameters_have_the_digest_of_none(nothing: object) -> None:
    assert digest(nothing) == digest(())


@pytest.mark.parametrize("error", [AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError])
def test_a_value_that_fails_to_be_hashed_costs_the_digest_alone(error: type[Exception]) -> None:
    class Value:
        def __hash__(self) -> int:
            raise error

    assert digest((Value(), 1)) is None
    assert digest(([Value()], 1)) is None


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELECT 1", "SELECT 1"),
        (b"SELECT 1", "SELECT 1"),
        (b"SELECT '\xff'", "SELECT '\ufffd'"),
        (None, "None"),
        (7, "7"),
    ],
)
def test_sql_that_is_no_text_is_carried_safely(sql: object, text: str) -> None:
    assert text_of(sql) == text
    assert Query(sql, SQLITE).statement is not None


def test_sql_objects_of_psycopg_become_text_when_read() -> None:
    sql = pytest.importorskip("psycopg.sql")
    composed = sql.SQL("SELECT {} FROM {}").format(sql.Identifier("id"), sql.Identifier("book"))

    assert Query(composed, Database("default", dialect="postgresql")).statement.tables == ("book",)


def test_an_sql_object_that_cannot_be_composed_is_carried_safely(failing_open: None) -> None:
    class Refusing:
        def as_string(self, context: object) -> str:
            raise RuntimeError(context)

        def __str__(self) -> str:
            return "Refusing()"

    assert text_of(Refusing()) == "Refusing()"


def test_a_query_shows_no_literal() -> None:
    assert "secret" not in repr(read("SELECT id FROM book WHERE title = 'secret'"))
