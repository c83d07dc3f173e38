"""Private names of Django and SQLAlchemy that are read: without one a datum is lost, and nothing else changes."""

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db.models import Prefetch
from sqlalchemy import Engine
from sqlalchemy.orm import Session, loading

import dbprofile_django
import dbprofile_sqlalchemy
from dbprofile import Profiler, Report, guard, record
from dbprofile.hooks import Mark
from tests.integrations.django import project
from tests.integrations.django.conftest import sqlite  # noqa: F401 - a fixture
from tests.scenarios.library import negatives, positives
from tests.scenarios.library.models import Author, Book, fill
from tests.scenarios.test_sqlalchemy_positives import engine  # noqa: F401 - a fixture
from tests.scenarios.test_sqlalchemy_positives import fill as fill_alchemy

django_marks = importlib.import_module("dbprofile_django.marks")
alchemy_marks = importlib.import_module("dbprofile_sqlalchemy.marks")

FORBIDDEN = {"DBP101", "DBP102", "DBP121"}
DJANGO = [*django_marks._FUNCTIONS, *django_marks._IF_LOADED]
ALCHEMY = alchemy_marks._FUNCTIONS


@pytest.fixture(autouse=True)
def _failing_open() -> Iterator[None]:
    guard.reraising(False)
    yield
    guard.reraising(True)


def named(entry: tuple[object, str | tuple[str, ...], object]) -> str:
    owner, name = entry[0], entry[1] if isinstance(entry[1], str) else entry[1][-1]
    told = owner if isinstance(owner, str) else str(getattr(owner, "__name__", "nobody"))
    return f"{told.rpartition('.')[2]}.{name}"


# --- functions that are known on the stack ---------------------------------------------------------------------------


def _clean_of_django(*, types: bool = True) -> None:
    if types:
        negatives.n15_content_types()
    for author in Author.objects.prefetch_related(Prefetch("books", queryset=Book.objects.order_by("pk"))):
        list(author.books.all())
    for case in (negatives.n03_iterator_with_prefetch, negatives.n05_bulk):
        case()


def _of(block: Callable[[], object]) -> Report:
    with record(profiler=Profiler()) as recording:
        block()
    return recording.report


@pytest.fixture
def library(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    dbprofile_django.uninstall()
    yield
    dbprofile_django.uninstall()
    dbprofile_django.install()
    project.close()


@pytest.mark.parametrize("entry", DJANGO, ids=map(named, DJANGO))
@pytest.mark.usefixtures("library")
def test_without_a_function_of_django_nothing_is_said_of_clean_code_and_the_n_plus_one_is_found(
    entry: tuple[object, str, Mark], monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in ("_FUNCTIONS", "_IF_LOADED"):
        monkeypatch.setattr(
            django_marks, table, tuple(kept for kept in getattr(django_marks, table) if kept is not entry)
        )
    dbprofile_django.install()
    fill(5)
    types = "ContentTypeManager" not in entry[1]  # else the look-ups that fill its cache are the application's own
    clean, sick = _of(lambda: _clean_of_django(types=types)), _of(positives.d01_forward_key)

    assert {finding.code for finding in clean.findings} & FORBIDDEN == set()
    assert [finding.relation for finding in sick.findings if finding.relation] in ([], ["Book.author"])
    assert any(finding.code in FORBIDDEN for finding in sick.findings)
    assert guard.faults() == {}


@pytest.mark.parametrize("entry", ALCHEMY, ids=map(named, ALCHEMY))
def test_without_a_function_of_sqlalchemy_nothing_is_said_of_clean_code(
    entry: tuple[object, tuple[str, ...], str, str],
    engine: Engine,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alchemy_marks, "_FUNCTIONS", tuple(kept for kept in ALCHEMY if kept is not entry))
    _judge_alchemy(engine)


def test_without_the_number_of_a_run_of_sqlalchemy_nothing_is_said_of_clean_code(
    engine: Engine,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert hasattr(loading, "_new_runid")
    monkeypatch.setattr("dbprofile_sqlalchemy.lineages._take_number", None)
    _judge_alchemy(engine)


def _judge_alchemy(engine: Engine) -> None:  # noqa: F811 - as above
    from tests.scenarios import sqlalchemy_negatives, sqlalchemy_positives  # noqa: PLC0415 - beside Django's of the same name

    def codes(case: Callable[[Session], object]) -> set[str]:
        fill_alchemy(engine, 5)
        with Session(engine) as session:
            return {finding.code for finding in _of(lambda: case(session)).findings}

    dbprofile_sqlalchemy.uninstall()
    dbprofile_sqlalchemy.install()
    try:
        for clean in ("n01_joined", "n01_selected", "n03_in_pieces"):
            assert codes(getattr(sqlalchemy_negatives, clean)) & FORBIDDEN == set()
        assert "DBP101" in codes(sqlalchemy_positives.s01_many_to_one)
    finally:
        dbprofile_sqlalchemy.uninstall()
    assert guard.faults() == {}


# --- attributes, and variables of functions --------------------------------------------------------------------------


class Without:
    """An object as it is, but for one attribute that it does not have."""

    def __init__(self, target: object, name: str) -> None:
        self._target, self._name = target, name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise AttributeError(name)
        return getattr(self._target, name)


class WithoutInside(Without):
    """An object whose ``inner`` lacks the attribute."""

    def __init__(self, target: object, inner: str, name: str) -> None:
        super().__init__(target, "")
        self._inner, self._lacking = inner, name

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        return Without(found, self._lacking) if name == self._inner else found


OF_QUERYSETS = ("_hints", "_known_related_objects", "_fields")
OF_QUERIES = ("where", "is_sliced", "order_by", "distinct", "select_related", "group_by", "alias_map", "alias_refcount")


def _readers() -> list[Callable[[Any], object]]:
    provenance = importlib.import_module("dbprofile_django.provenance")
    relations = importlib.import_module("dbprofile_django.relations")
    return [
        relations.known_relation,
        relations.known_generic,
        lambda queryset: relations.siblings(queryset.query),
        lambda queryset: provenance._operation_of(queryset, "all"),
    ]


@pytest.mark.parametrize("name", [*OF_QUERYSETS, *OF_QUERIES])
@pytest.mark.usefixtures("library")
def test_a_queryset_without_an_attribute_is_read_as_far_as_it_goes(name: str) -> None:
    fill(1)
    for related in (Author.objects.get().books.all(), Book.objects.get().tags.all(), Book.objects.get().notes.all()):
        lacking: Any = Without(related, name) if name in OF_QUERYSETS else WithoutInside(related, "query", name)
        for read in _readers():
            read(lacking)


@pytest.mark.parametrize("variable", ["instances", "lookup", "level"])
def test_a_prefetch_whose_variables_are_called_otherwise_is_one_of_nobody_knows_what(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provenance = importlib.import_module("dbprofile_django.provenance")
    names = {"instances": [object()], "lookup": Prefetch("books"), "level": 0}
    seen: list[Any] = []
    monkeypatch.setattr(provenance, "_eager", lambda _watch, relation, rows: seen.append((relation.name, rows)))
    provenance._prefetched(None, provenance._Seen(), {key: value for key, value in names.items() if key != variable})

    assert seen == [("", ())]


@pytest.mark.parametrize("name", ["runid", "load_path"])
def test_a_row_of_sqlalchemy_without_an_attribute_has_no_origin(
    name: str,
    engine: Engine,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.scenarios import sqlalchemy_positives  # noqa: PLC0415 - as above

    provenance = importlib.import_module("dbprofile_sqlalchemy.provenance")
    original = provenance.lineage_of
    monkeypatch.setattr(provenance, "lineage_of", lambda watch, state: original(watch, Without(state, name)))
    dbprofile_sqlalchemy.install()
    try:
        fill_alchemy(engine, 5)
        with Session(engine) as session:
            report = _of(lambda: sqlalchemy_positives.s01_many_to_one(session))
    finally:
        dbprofile_sqlalchemy.uninstall()

    assert [finding.relation for finding in report.findings] == ["Book.author"]
    assert guard.faults() == {}
