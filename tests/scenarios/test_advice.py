"""What is advised where no edit of one line helps: in the words of the application's own classes and columns."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.views.generic import ListView
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.integrations.django import project
from tests.integrations.django.conftest import Judge, judge, sqlite  # noqa: F401 - fixtures
from tests.scenarios import sqlalchemy_positives
from tests.scenarios.library import positives
from tests.scenarios.library.models import Book, Tag
from tests.scenarios.library.models import fill as fill_library
from tests.scenarios.test_sqlalchemy_positives import _installed, engine, fill, judged  # noqa: F401 - fixtures


@pytest.fixture
def library(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    fill_library(5)
    yield
    project.close()


@pytest.mark.parametrize(
    ("pattern", "advice"),
    [
        ("l08_get", "before the loop {key: row} of select(Tag).where(Tag.id.in_(keys))"),
        ("l08_where", "ask once for all turns: select(Tag).where(Tag.id.in_(values))"),
        ("l11_count", "count once: select(author_id, func.count()).where(author_id.in_(values)).group_by(author_id)"),
        ("l11_exists", "ask once: the set of select(author_id).where(author_id.in_(values))"),
        ("l12_core", "ask once for all turns: WHERE id IN (…)"),
        ("l24_merge", "before the loop {key: row} of select(Tag).where(Tag.id.in_(keys))"),
    ],
)
def test_a_loop_of_sqlalchemy_is_told_what_to_select_at_once(pattern: str, advice: str, engine: Engine) -> None:  # noqa: F811 - the fixture
    fill(engine, 5)
    function: Callable[[Session], object] = getattr(sqlalchemy_positives, pattern)

    assert [finding.fix.text for finding in judged(function, engine).findings if finding.fix is not None] == [advice]


def link_by_link() -> None:
    for book in Book.objects.all():
        list(Book.tags.through.objects.filter(book=book))


def slug_by_slug() -> None:
    for slug in list(Tag.objects.values_list("slug", flat=True)):
        Tag.objects.get(slug=slug)


@pytest.mark.parametrize(
    ("block", "advice"),
    [
        (positives.d17_get_loop, "read all rows at once: Book.objects.in_bulk(ids), or filter(pk__in=ids) and a dict"),
        (positives.d17_elements, "read the rows at once: a list of them, and its elements"),
        (slug_by_slug, "read all rows at once: Tag.objects.filter(slug__in=values) and a dict"),
        (positives.d19_count_of_a_filter, 'count once: Book.objects.values("author_id").annotate(n=Count("pk"))'),
        (link_by_link, "ask once for all turns: Book.tags.through.objects.filter(book_id__in=values)"),
    ],
)
@pytest.mark.usefixtures("library")
def test_a_loop_of_django_is_told_what_to_ask_at_once(block: Callable[[], object], advice: str, judge: Judge) -> None:  # noqa: F811 - the fixture
    assert [finding.fix.text for finding in judge(block).findings if finding.fix is not None] == [advice]


class BookList(ListView):  # type: ignore[type-arg]  # Django has no subscript for it at run time
    model = Book

    def get_context_data(self, **keywords: Any) -> dict[str, Any]:
        context = super().get_context_data(**keywords)
        return {**context, "authors": [book.author.name for book in context["object_list"]]}

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> HttpResponse:
        return HttpResponse()


@pytest.mark.usefixtures("library")
def test_a_generic_view_is_cured_where_it_makes_its_queryset(judge: Judge) -> None:  # noqa: F811 - the fixture
    (finding,) = judge(lambda: BookList.as_view()(RequestFactory().get("/books/"))).findings

    assert finding.fix is not None
    assert finding.fix.text == '.select_related("author") in get_queryset() of BookList'
