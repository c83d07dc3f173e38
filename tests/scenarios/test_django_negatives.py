"""What only looks like an N+1, a loop of reads or of writes: nothing is said of it."""

import re
from collections.abc import Callable, Iterator

import pytest

from tests.integrations.django import project
from tests.integrations.django.conftest import Judge, judge, sqlite  # noqa: F401 - fixtures
from tests.scenarios.library import negatives
from tests.scenarios.library.models import fill

REPETITIONS = {"DBP101", "DBP102", "DBP121"}
FUNCTIONS = [function for name, function in vars(negatives).items() if re.match(r"n\d\d_", name)]


@pytest.fixture(autouse=True)
def library(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    fill(5)
    yield
    project.close()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_nothing_repeats(function: Callable[[], object], judge: Judge) -> None:  # noqa: F811 - the fixture
    found = [finding for finding in judge(function).findings if finding.code in REPETITIONS]
    assert not found, [(each.code, each.subject, each.message, each.trigger) for each in found]
