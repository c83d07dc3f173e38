"""Serializers of Django REST framework: the field, the relation behind it, and the line of the queryset."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from dbprofile import Finding
from tests.integrations.django import project
from tests.integrations.django.conftest import Judge, judge, sqlite  # noqa: F401 - fixtures
from tests.scenarios.library.models import Book, fill
from tests.scenarios.library.rest import Books, BookSerializer, MethodSerializer, PreparedBooks, PreparedTitles


@pytest.fixture(autouse=True)
def library(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    fill(5)
    yield
    project.close()


def n_plus_ones(judge: Judge, block: object) -> dict[str | None, Finding]:  # noqa: F811 - the fixture
    return {finding.relation: finding for finding in judge(block).findings if finding.code == "DBP101"}  # type: ignore[arg-type]


def test_each_relation_behind_a_nested_serializer_has_its_field(judge: Judge) -> None:  # noqa: F811 - the fixture
    found = n_plus_ones(judge, lambda: BookSerializer(Book.objects.all(), many=True).data)
    fields = {relation: finding.trigger.field for relation, finding in found.items() if finding.trigger is not None}

    assert fields == {
        "Book.author": "BookSerializer.author",
        "Author.country": "BookSerializer.author.country",
        "Book.tags": "BookSerializer.tags",
    }
    fixes = {finding.fix.text for finding in found.values() if finding.fix is not None}
    assert 'Book.objects.all().select_related("author__country")' in fixes
    assert 'Book.objects.all().prefetch_related("tags")' in fixes


def test_a_method_field_is_a_line_of_the_application(judge: Judge) -> None:  # noqa: F811 - the fixture
    found = n_plus_ones(judge, lambda: MethodSerializer(Book.objects.all(), many=True).data)
    trigger = found["Book.author"].trigger

    assert trigger is not None
    assert (trigger.function, trigger.field) == ("MethodSerializer.get_writer", None)


def test_a_list_view_is_cured_at_its_queryset(judge: Judge) -> None:  # noqa: F811 - the fixture
    view = Books.as_view()
    found = n_plus_ones(judge, lambda: view(RequestFactory().get("/books/")))
    assert set(found) == {"Book.author", "Author.country", "Book.tags"}


def test_a_paginated_list_with_prefetches_is_silent(judge: Judge) -> None:  # noqa: F811 - the fixture
    view = PreparedBooks.as_view({"get": "list"})

    assert n_plus_ones(judge, lambda: view(RequestFactory().get("/books/"))) == {}


def test_an_update_that_prefetches_once_more_for_its_one_object_is_silent(judge: Judge) -> None:  # noqa: F811 - the fixture
    view = PreparedTitles.as_view({"put": "update"})
    book = Book.objects.order_by("pk")[0]

    def put() -> None:
        request = RequestFactory().put("/", {"title": "New"}, content_type="application/json")
        response = view(request, pk=book.pk)
        assert (response.status_code, response.data["title"]) == (200, "New")

    with CaptureQueriesContext(connection) as sent:
        put()
    report = judge(put)

    assert report.profile.query_count == len(sent) >= 4
    assert {finding.kind for finding in report.findings} <= {"duplicate_query"}
