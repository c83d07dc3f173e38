"""The application's own exceptions pass us unchanged, and a statement whose reason we cannot tell is counted all the same."""

import pytest
from django.test import Client

import dbprofile_django.provenance
from dbprofile import Profiler
from tests.integrations.django.shop.models import Order

pytestmark = pytest.mark.usefixtures("shop")


def test_an_exception_of_the_application_passes_unchanged() -> None:
    with pytest.raises(LookupError, match="not to be kept"):
        Client().get("/broken/")


@pytest.mark.usefixtures("failing_open")
def test_a_statement_without_provenance_is_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(dbprofile_django.provenance, "_see", fail)
    with Profiler().scope("block", "block") as scope:
        Order.objects.count()
    assert scope.profile().query_count == 1
