"""Reports for machines."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dbprofile import Finding, Profile, Report
from dbprofile.capture.callsite import CallSite
from dbprofile.capture.counters import Counter
from dbprofile.output.renderers.json import document, render
from tests.output import shop as shops
from tests.output.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shops.opened(tmp_path) as shop:
        yield shop


@pytest.fixture
def page(shop: Shop) -> dict[str, Any]:
    """The page with the N+1, written and read again."""
    read: dict[str, Any] = json.loads(render([shops.many_queries(shop)], root=shop.root))
    return read


def test_a_document_begins_with_the_version_and_the_kind(page: dict[str, Any]) -> None:
    assert list(page.items())[:4] == [("dbprofile", 1), ("kind", "request"), ("name", "GET /orders/"), ("number", 42)]


def test_it_has_the_profile_s_numbers_in_seconds(page: dict[str, Any]) -> None:
    assert (page["query_count"], page["unique_query_count"], page["rows"]) == (54, 4, 103)
    assert page["seconds"] == pytest.approx(0.098)
    assert page["database_seconds"] == pytest.approx(0.061)
    assert page["execute_seconds"] + page["fetch_seconds"] == pytest.approx(0.061)


def test_a_finding_has_place_cause_and_cure(page: dict[str, Any]) -> None:
    found = page["findings"][0]

    assert (found["code"], found["kind"], found["severity"]) == ("DBP101", "n_plus_one", "critical")
    assert (found["subject"], found["relation"], found["count"]) == ("Order.customer", "Order.customer", 50)
    assert found["message"] == "50 queries that one JOIN replaces"
    assert found["trigger"] == {
        "file": "shop/templates/orders.html",
        "line": 14,
        "function": "",
        "template": "orders.html",
        "tag": "order.customer.name",
        "field": None,
    }
    assert (found["origin"]["file"], found["origin"]["line"], found["origin_rows"]) == ("shop/views.py", 27, 50)
    assert found["fix"]["expression"] == '.select_related("customer")'
    assert found["statement"]["text"].startswith("SELECT customer.id, ")


def test_every_field_of_a_finding_is_there(page: dict[str, Any]) -> None:
    names = {field.name for field in fields(Finding)} - {"queries"}

    assert names <= page["findings"][0].keys()
    assert page["findings"][0]["query_count"] == 50


def test_statements_are_summed_and_masked(page: dict[str, Any]) -> None:
    customers = next(one for one in page["statements"] if one["tables"] == ["customer"])

    assert (customers["count"], customers["rows"], customers["only_counted"]) == (50, 50, 0)
    assert customers["seconds"] == pytest.approx(0.042)
    assert customers["longest_seconds"] == pytest.approx(0.00084)
    assert customers["text"].endswith("WHERE customer.id = ? LIMIT ?")
    assert [place["line"] for place in customers["places"]] == [14]
    assert sum(one["count"] for one in page["statements"]) == 54


def test_queries_name_their_statement_and_their_moment(page: dict[str, Any]) -> None:
    known = {one["fingerprint"] for one in page["statements"]}

    assert {query["fingerprint"] for query in page["queries"]} == known
    assert page["queries"][0]["after_seconds"] == 0
    assert page["queries"][-1]["after_seconds"] == pytest.approx(0.089)
    assert [query["role"] for query in page["queries"]].count("lazy") == 50


def test_no_value_and_no_literal_is_in_a_document(shop: Shop) -> None:
    queries = [
        shops.query(
            f"SELECT a FROM t WHERE b = 'secret-{n}' AND c = %s", shop.sales, at=n + 1, ms=1, parameters=("secret",)
        )
        for n in range(6)
    ]
    report = shop.report(shops.request("/", 1, tuple(queries), seconds=1))

    assert report.findings
    assert "secret" not in render([report], root=shop.root)


def test_statements_beyond_the_detail_limit_are_in_the_sums() -> None:
    counter = Counter("SELECT a FROM t WHERE b = 1", shops.DATABASE)
    counter.count, counter.seconds, counter.longest, counter.rows, counter.errors = 7, 0.5, 0.2, 3, 1
    other = Counter("", None)
    other.count = 2
    report = Report(Profile("request", "GET /", counters=[counter, other]))

    statements: Any = document(report, queries=True)["statements"]

    assert [(one["text"], one["database"], one["count"], one["only_counted"]) for one in statements] == [
        ("SELECT a FROM t WHERE b = ?", "default", 7, 7),
        ("", "", 2, 2),
    ]
    assert (statements[0]["longest_seconds"], statements[0]["rows"], statements[0]["errors"]) == (0.2, 3, 1)


def test_without_queries_the_findings_are_still_there(shop: Shop) -> None:
    found = document(shops.many_queries(shop))

    assert "queries" not in found
    assert "statements" not in found
    assert found["findings"]


def test_the_time_is_rfc_3339_in_utc() -> None:
    assert document(Report(Profile("task", "t", started=1764064800.25)))["started"] == "2025-11-25T10:00:00.250000Z"


def test_labels_that_are_no_scalars_become_text() -> None:
    labels = {"http.response.status_code": 200, "path": Path("/x"), "nothing": None}

    assert document(Report(Profile("task", "t", labels=labels)))["labels"] == {
        "http.response.status_code": 200,
        "path": "/x",
        "nothing": None,
    }


def test_hostile_names_stay_on_their_line() -> None:
    name = "\x1b[31m\r\n\u2028\u202e\ud800"
    site = CallSite(name, 1, name)
    report = Report(Profile("request", name, late={name: 1}), [Finding("X1", "x", 2, name, name, 1, trigger=site)])  # type: ignore[arg-type]

    shown = render([report, report])

    assert len(shown.splitlines()) == 2
    assert shown.isascii()
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert json.loads(shown.splitlines()[0])["name"] == name


def test_fields_beside_the_report_s_own_come_last(shop: Shop) -> None:
    assert list(json.loads(render([shops.fine(shop)], beside={"pid": 7})).items())[-1] == ("pid", 7)
