import sqlite3

import asyncpg
import psycopg
import pymysql
import pytest
import sqlalchemy.exc
from django.db import IntegrityError

from dbprofile_opentelemetry.failures import describe


class OracleError:
    full_code = "ORA-00942"


class ConnectorError(Exception):
    """As that of mysql-connector."""

    __module__ = "mysql.connector.errors"
    errno = 1062


def raised_by_django(cause: BaseException) -> BaseException:
    try:
        raise IntegrityError(*cause.args) from cause
    except IntegrityError as error:
        return error


def of_sqlite() -> BaseException:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("SELECT secret FROM nowhere")
    except sqlite3.OperationalError as error:
        return error
    finally:
        connection.close()
    raise AssertionError


@pytest.mark.parametrize(
    ("exception", "system", "code"),
    [
        (psycopg.errors.UniqueViolation("secret"), "postgresql", "23505"),
        (asyncpg.exceptions.UniqueViolationError("secret"), "postgresql", "23505"),
        (pymysql.err.OperationalError(1205, "secret"), "mysql", "1205"),
        (ConnectorError("secret"), "mysql", "1062"),
        (of_sqlite(), "sqlite", "SQLITE_ERROR"),
        (Exception(OracleError()), "oracle.db", "ORA-00942"),
        (
            sqlalchemy.exc.IntegrityError("SELECT", {}, psycopg.errors.UniqueViolation("secret")),
            "postgresql",
            "23505",
        ),
        (raised_by_django(psycopg.errors.UniqueViolation("secret")), "postgresql", "23505"),
    ],
    ids=lambda value: type(value).__module__ if isinstance(value, BaseException) else None,
)
def test_the_code_of_the_driver_is_found(exception: BaseException, system: str, code: str) -> None:
    assert describe(exception, system) == (code, code)


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        (ConnectionRefusedError(111, "secret"), "ConnectionRefusedError"),
        (TimeoutError(), "TimeoutError"),
        (KeyError(7), "KeyError"),
        (psycopg.OperationalError("secret"), "psycopg.OperationalError"),
        (raised_by_django(TypeError("secret")), "TypeError"),
    ],
)
def test_without_a_code_the_type_is_named(exception: BaseException, kind: str) -> None:
    assert describe(exception, "postgresql") == (None, kind)


def test_a_warning_of_postgresql_is_no_error_code() -> None:
    kind = asyncpg.exceptions.PostgresWarning
    assert describe(kind("secret"), "postgresql") == (None, f"{kind.__module__}.PostgresWarning")
