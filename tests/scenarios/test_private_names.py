"""Private names of Django and SQLAlchemy that are read: without one a datum is lost, and nothing else changes."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models import Prefetch
from sqlalchemy import Engine
from sqlalchemy.orm import Session, loading, strategies

import dbprofile_django
import dbprofile_sqlalchemy
from dbprofile import Profiler, guard, record
from tests.integrations.django import project
from tests.integrations.django.conftest import sqlite  # noqa: F401 - a fixture
from tests.scenarios.library import negatives, positives
from tests.scenarios.library.models import Author, Book, fill
from tests.scenarios.test_sqlalchemy_positives import engine  # noqa: F401 - a fixture
from tests.scenarios.test_sqlalchemy_positives import fill as fill_alchemy

FORBIDDEN = {"DBP101", "DBP102", "DBP121"}

DJANGO = [
    ("django.db.models.query", "QuerySet._prefetch_related_objects"),
    ("django.db.models.query", "QuerySet._iterator"),
    ("django.db.models.query", "prefetch_one_level"),
    ("django.db.models.deletion", "Collector.collect"),
    ("django.db.backends.utils", "CursorWrapper._execute"),
    ("django.contrib.contenttypes.fields", "GenericForeignKey.__get__"),
    ("django.contrib.contenttypes.models", "ContentTypeManager.get_for_id"),
    ("django.core.handlers.base", "BaseHandler._get_response"),
]
ALCHEMY = [
    (loading, "_new_runid"),
    (loading, "_load_subclass_via_in"),
    (strategies, "_SelectInLoader"),
    (strategies, "_ImmediateLoader"),
    (strategies, "_DeferredColumnLoader"),
]


@pytest.fixture(autouse=True)
def _failing_open() -> Iterator[None]:
    guard.reraising(False)
    yield
    guard.reraising(True)


def _unknown(module: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the table of known functions not find one, as where a version has renamed it; the library itself keeps it."""
    marks = importlib.import_module("dbprofile_django.marks")
    owner: Any = importlib.import_module(module)
    for part in path.split("."):
        owner = getattr(owner, part, None)
    if owner is None:
        pytest.skip("this version has another name")
    wanted = marks._code_of(owner)
    original = marks._code_of
    monkeypatch.setattr(
        marks, "_code_of", lambda function: None if original(function) is wanted else original(function)
    )


def _clean_of_django() -> None:
    for author in Author.objects.prefetch_related(Prefetch("books", queryset=Book.objects.order_by("pk"))):
        list(author.books.all())
    for case in (negatives.n03_iterator_with_prefetch, negatives.n15_content_types, negatives.n05_bulk):
        case()


@pytest.mark.parametrize(("module", "path"), DJANGO, ids=[path for _, path in DJANGO])
def test_without_a_name_of_django_nothing_is_said_of_clean_code_and_the_n_plus_one_is_found(
    module: str,
    path: str,
    sqlite: object,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dbprofile_django.uninstall()
    _unknown(module, path, monkeypatch)
    dbprofile_django.install()
    try:
        fill(5)
        with record(profiler=Profiler()) as clean:
            _clean_of_django()
        with record(profiler=Profiler()) as sick:
            positives.d01_forward_key()
    finally:
        dbprofile_django.uninstall()
        monkeypatch.undo()
        dbprofile_django.install()
        project.close()

    assert {finding.code for finding in clean.findings} & FORBIDDEN == set()
    assert [finding.relation for finding in sick.findings] == ["Book.author"]
    assert guard.faults() == {}


@pytest.mark.parametrize(("module", "name"), ALCHEMY, ids=[name for _, name in ALCHEMY])
def test_without_a_name_of_sqlalchemy_nothing_is_said_of_clean_code(
    module: Any,
    name: str,
    engine: Engine,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.scenarios import sqlalchemy_negatives, sqlalchemy_positives  # noqa: PLC0415 - beside Django's of the same name

    if not hasattr(module, name):
        pytest.skip("this version calls it otherwise")
    dbprofile_sqlalchemy.uninstall()
    reloaded = _without(module, name, monkeypatch)
    dbprofile_sqlalchemy.install()
    try:
        for case in (
            sqlalchemy_negatives.n01_joined,
            sqlalchemy_negatives.n01_selected,
            sqlalchemy_negatives.n03_in_pieces,
        ):
            fill_alchemy(engine, 5)
            assert _codes(case, engine) & FORBIDDEN == set()
        fill_alchemy(engine, 5)
        assert "DBP101" in _codes(sqlalchemy_positives.s01_many_to_one, engine)
    finally:
        dbprofile_sqlalchemy.uninstall()
        reloaded()
    assert guard.faults() == {}


def _codes(case: Callable[[Session], object], engine: Engine) -> set[str]:  # noqa: F811 - as above
    with Session(engine) as session, record(profiler=Profiler()) as recording:
        case(session)
    return {finding.code for finding in recording.findings}


def _without(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """What our modules would have read under the name is not there; the library itself keeps it."""
    marks = importlib.import_module("dbprofile_sqlalchemy.marks")
    lineages = importlib.import_module("dbprofile_sqlalchemy.lineages")
    if name == "_new_runid":
        monkeypatch.setattr(lineages, "_take_number", None)
    kept = tuple(entry for entry in marks._FUNCTIONS if not any(each.startswith(name) for each in entry[1]))
    monkeypatch.setattr(marks, "_FUNCTIONS", kept)
    return monkeypatch.undo
