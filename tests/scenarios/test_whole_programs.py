"""Commands of Django's own and large units of work: they repeat themselves, and there is no line to change."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.integrations.django import project
from tests.integrations.django.conftest import Judge, judge, sqlite  # noqa: F401 - fixtures
from tests.integrations.sqlalchemy.models import Author, Book, Country, Profile, Tag
from tests.scenarios.library.models import fill as fill_library
from tests.scenarios.test_sqlalchemy_positives import _installed, engine, fill, judged  # noqa: F401 - fixtures

REPETITIONS = {"DBP101", "DBP102", "DBP121"}


@pytest.fixture(autouse=True)
def library(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    fill_library(5)
    yield
    project.close()


@pytest.mark.parametrize("command", ["migrate", "flush", "check", "dumpdata"])
def test_a_command_of_django_is_told_of_no_repetition(
    command: str,
    judge: Judge,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    options: dict[str, dict[str, Any]] = {
        "migrate": {"run_syncdb": True},
        "flush": {"interactive": False},
        "dumpdata": {"output": str(tmp_path / "dump.json")},
    }
    report = judge(lambda: call_command(command, verbosity=0, **options.get(command, {})))

    assert [finding.code for finding in report.findings if finding.code in REPETITIONS] == []


def test_fixtures_are_loaded_without_a_finding_and_every_statement_counts(
    judge: Judge,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    rows = [{"model": "library.tag", "pk": number, "fields": {"name": "x"}} for number in range(100, 130)]
    (tmp_path / "tags.json").write_text(json.dumps(rows))
    report = judge(lambda: call_command("loaddata", str(tmp_path / "tags.json"), verbosity=0))

    assert report.profile.query_count >= len(rows)
    assert [finding.code for finding in report.findings if finding.code in REPETITIONS] == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM library_tag WHERE id >= 100 AND id < 130")
        assert cursor.fetchone() == (30,)


def _five_classes(session: Session) -> None:
    for number in range(1_000, 1_200):
        country = Country(id=number, name="new")
        author = Author(id=number, name="new", country=country)
        book = Book(id=number, title="new", author=author, editor=author, tags=[Tag(id=number, name="new")])
        session.add_all([Profile(id=number, text="new", author=author), book])
    session.commit()


def _in_chunks(session: Session) -> None:
    for start in range(1_000, 1_500, 100):
        session.add_all([Tag(id=number, name="new") for number in range(start, start + 100)])
        session.commit()


@pytest.mark.parametrize("work", [_five_classes, _in_chunks])
def test_a_unit_of_work_of_a_thousand_objects_is_no_loop(work: object, engine: Engine) -> None:  # noqa: F811 - the fixture
    fill(engine, 2)
    report = judged(work, engine)  # type: ignore[arg-type]

    assert [finding.code for finding in report.findings if finding.code in REPETITIONS] == []
