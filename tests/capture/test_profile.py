import pytest

from dbprofile.capture.counters import is_transaction_control
from dbprofile.capture.profile import database_seconds
from dbprofile.capture.provenance import Provenance
from dbprofile.capture.query import Query
from tests.building import SQLITE, profile, read


def test_database_time_of_one_lane_is_the_sum() -> None:
    assert database_seconds([read("SELECT 1", at=1, ms=20), read("SELECT 1", at=30, ms=30)]) == 0.05


def test_database_time_holds_what_is_sent_while_another_statement_is_under_way_once() -> None:
    outer = read("SELECT 1", at=1, ms=50)
    inside = read("SELECT 2", at=11, ms=20)
    inside.fetches, inside.fetch_started, inside.fetch_seconds = 1, 31_000_000, 0.01
    after = read("SELECT 3", at=60, ms=5)

    assert round(database_seconds([inside, outer, after]), 6) == 0.055
    assert round(database_seconds([inside, outer, after, read("SELECT 4", at=100, ms=1, lane=1)]), 6) == 0.056


def test_queries_of_which_nobody_said_when_they_began_are_summed() -> None:
    assert database_seconds([Query("SELECT 1", SQLITE, seconds=0.02) for _ in range(3)]) == pytest.approx(0.06)


def test_database_time_of_parallel_lanes_is_the_union() -> None:
    queries = [read("SELECT 1", at=1, ms=20, lane=lane) for lane in range(3)]
    for query in queries:
        query.fetches, query.fetch_started, query.fetch_seconds = 1, 31_000_000, 0.03

    assert round(database_seconds(queries), 6) == 0.05


def test_connection_set_up_and_cache_fills_are_listed_but_do_not_count() -> None:
    queries = [read("SELECT 1"), read("SELECT version()"), read("SELECT id FROM django_content_type")]
    queries[1].provenance = Provenance("infra", infrastructure="connect")
    queries[2].provenance = Provenance("infra", infrastructure="cachefill")

    assert profile(*queries).query_count == 1
    assert profile(*queries).not_counted == {"connect": 1, "cachefill": 1}


def test_transaction_control_is_told_from_the_first_word() -> None:
    control = [
        "BEGIN",
        "begin;",
        " COMMIT",
        "SAVEPOINT s1",
        "RELEASE SAVEPOINT s1",
        "ROLLBACK TO s1",
        "/* tag */ COMMIT",
    ]
    others = ["SELECT 1", "", "(SELECT 1)", "SET search_path TO x", "-- COMMIT\nSELECT 1", "COMMITTEE"]

    assert [is_transaction_control(sql) for sql in control] == [True] * len(control)
    assert [is_transaction_control(sql) for sql in others] == [False] * len(others)
