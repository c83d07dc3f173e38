"""Connections that are opened within a unit of work are told of where a rule asks for them."""

import pytest
from django.db import connection

from dbprofile import Profiler, record
from dbprofile.rules import ConnectionChurn
from tests.integrations.django.shop.models import Customer


def asked(profiler: Profiler, times: int) -> list[str]:
    connection.close()
    with record("block", profiler=profiler) as recording:
        for _ in range(times):
            Customer.objects.exists()
            connection.close()
    return [finding.message for finding in recording.findings]


@pytest.mark.usefixtures("shop")
def test_a_connection_that_is_closed_and_opened_again_is_churn() -> None:
    with Profiler(rules=[ConnectionChurn()]) as profiler:
        assert asked(profiler, 1) == []
        assert asked(profiler, 3) == ["3 connections opened, where one would do"]


@pytest.mark.usefixtures("shop")
def test_nothing_is_told_while_nobody_asks() -> None:
    with record("block", profiler=Profiler()) as recording:
        connection.close()
        Customer.objects.exists()

    assert recording.report.profile.connections == ()
