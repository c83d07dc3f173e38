"""Verdicts do not depend on how a database quotes its names, nor on how its driver spells parameters."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine

from tests import services
from tests.integrations.django import project
from tests.integrations.django.conftest import Judge, any_database, judge  # noqa: F401 - fixtures
from tests.scenarios import sqlalchemy_negatives, sqlalchemy_positives, test_django_positives, test_sqlalchemy_positives
from tests.scenarios.library import negatives, positives
from tests.scenarios.library.models import fill as fill_library
from tests.scenarios.test_sqlalchemy_positives import REPETITIONS, _installed, fill, judged  # noqa: F401 - a fixture

Verdict = set[tuple[str, str | None]]

# One of each mechanism that reads texts: relations, values that vary, pages, chunks, questions, writes.
DJANGO = ("d02_reverse_key", "d05_many_to_many", "d09_deferred_column", "d11_count_of_each", "d17_get_loop",
          "d19_count_of_a_filter", "d20_exists_in_a_loop", "d56_overlapping_lists", "d57_top_of_each",
          "w01_save", "w02_update", "w04_get_or_create", "w05_add")  # fmt: skip
DJANGO_CLEAN = ("n03_iterator_with_prefetch", "n05_bulk_in_chunks", "n07_keyset_pages", "n07_offset_pages",
                "n08_chunks_of_keys", "n09_savepoints", "n16_cascade", "n43_queue", "n44_a_free_name", "n45_one_counter",
                "n46_levels_of_a_tree")  # fmt: skip
ALCHEMY = ("s01_many_to_one", "s02_one_to_many", "s04_many_to_many", "s05_deferred", "s09_subclass_column", "l08_get",
           "l11_count", "l11_exists", "l12_text", "l12_core", "l20_overlapping_lists",
           "w01_add_and_flush", "w02_update", "w03_delete_statement")  # fmt: skip
ALCHEMY_CLEAN = ("n05_executemany", "n06_one_flush", "n07_keyset", "n07_offset", "n08_chunks",
                 "n09_savepoints", "n16_cascade", "n43_queue", "n45_one_counter")  # fmt: skip


@pytest.fixture
def library(any_database: services.TemporaryDatabase) -> Iterator[Callable[[], None]]:  # noqa: F811 - the fixture
    yield lambda: fill_library(5)
    project.close()


@pytest.fixture(scope="module")
def any_engine(database: services.TemporaryDatabase) -> Iterator[Engine]:
    engine = create_engine(database.sqlalchemy_url())
    yield engine
    engine.dispose()


def expected(names: tuple[str, ...], of: dict[str, tuple[str, str | None]]) -> dict[str, tuple[str, str | None]]:
    return {name: of.get(name) or of[name[:3]] for name in names}


def same(found: Verdict, wanted: tuple[str, str | None]) -> bool:
    code, subject = wanted
    return len(found) == 1 and all(one == code and (subject is None or other == subject) for one, other in found)


def test_djangos_patterns_are_found_on_every_database(library: Callable[[], None], judge: Judge) -> None:  # noqa: F811 - the fixture
    wrong = {}
    for name, wanted in expected(DJANGO, test_django_positives.EXPECTED).items():
        library()
        found = {(f.code, f.relation) for f in judge(getattr(positives, name)).findings if f.code in REPETITIONS}
        wanted = wanted if wanted[0] == "DBP101" else (wanted[0], None)
        if not same(found, wanted):
            wrong[name] = found
    assert wrong == {}


def test_what_only_looks_like_one_of_djangos_is_silent_on_every_database(
    library: Callable[[], None],
    judge: Judge,  # noqa: F811 - the fixture
) -> None:
    wrong = {}
    for name in DJANGO_CLEAN:
        library()
        found = [finding for finding in judge(getattr(negatives, name)).findings if finding.code in REPETITIONS]
        if found:
            wrong[name] = found
    assert wrong == {}


def test_sqlalchemys_patterns_are_found_on_every_database(any_engine: Engine) -> None:
    wrong = {}
    for name, wanted in expected(ALCHEMY, test_sqlalchemy_positives.EXPECTED).items():
        fill(any_engine, 5)
        report = judged(getattr(sqlalchemy_positives, name), any_engine)
        found = {(finding.code, finding.relation) for finding in report.findings if finding.code in REPETITIONS}
        if not same(found, wanted):
            wrong[name] = found
    assert wrong == {}


def test_what_only_looks_like_one_of_sqlalchemys_is_silent_on_every_database(any_engine: Engine) -> None:
    wrong = {}
    for name in ALCHEMY_CLEAN:
        fill(any_engine, 5)
        report = judged(getattr(sqlalchemy_negatives, name), any_engine)
        found = [finding for finding in report.findings if finding.code in REPETITIONS]
        if found:
            wrong[name] = found
    assert wrong == {}
