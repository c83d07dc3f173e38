"""Objects that ask the database whenever anybody looks at them: we never do, while they are loaded nor when a report is made."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from dbprofile import Profiler, record
from tests.integrations.django.shop.models import Keeper, Pet

PETS = 5


@pytest.fixture(autouse=True)
def kept_pets(shop: None) -> Iterator[None]:
    for number in range(PETS):
        Pet.objects.create(keeper=Keeper.objects.create(name=f"Keeper {number}"), name=f"Pet {number}")
    yield
    with connection.cursor() as cursor:  # to delete them Django would compare them
        cursor.execute("DELETE FROM shop_pet")
        cursor.execute("DELETE FROM shop_keeper")


def _keepers() -> list[str]:
    return [pet.keeper.name for pet in Pet.objects.order_by("pk")]


def _pets() -> list[list[str]]:
    return [[pet.name for pet in keeper.pets.all()] for keeper in Keeper.objects.order_by("pk")]


def _prefetched() -> list[list[str]]:
    return [
        [pet.name for pet in keeper.pets.all()] for keeper in Keeper.objects.order_by("pk").prefetch_related("pets")
    ]


def _joined() -> list[str]:
    return [pet.keeper.name for pet in Pet.objects.order_by("pk").select_related("keeper")]


def _looked_at() -> tuple[object, ...]:
    first, second = Pet.objects.order_by("pk")[:2]
    return first == second, str(first), first.extra_toy, len(first), bool(second)


@pytest.mark.parametrize(
    ("work", "subjects"),
    [
        (_keepers, ["Pet.keeper"]),
        (_pets, ["Keeper.pets"]),
        (_prefetched, []),
        (_joined, []),
        (_looked_at, None),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_objects_are_not_looked_at(work: Callable[[], object], subjects: list[str] | None) -> None:
    texts: list[str] = []

    def listening(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        texts.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listening):
        expected = work()
        without = texts.copy()
        texts.clear()
        with record("block", profiler=Profiler()) as recorded:
            assert work() == expected
        findings = recorded.findings
        assert str(recorded)
    assert texts == without
    assert recorded.query_count == len(without)
    if subjects is not None:
        assert [(finding.subject, finding.count) for finding in findings] == [(subject, PETS) for subject in subjects]
