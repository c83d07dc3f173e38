"""What only looks like an N+1, a loop of reads or of writes: nothing is said of it."""

import re
from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.scenarios import sqlalchemy_negatives as negatives
from tests.scenarios.test_sqlalchemy_positives import REPETITIONS, _installed, engine, fill, judged  # noqa: F401 - fixtures

FUNCTIONS = [function for name, function in vars(negatives).items() if re.match(r"n\d\d_", name)]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_nothing_repeats(function: Callable[[Session], object], engine: Engine) -> None:  # noqa: F811 - the fixture
    fill(engine, 5)
    found = [finding for finding in judged(function, engine).findings if finding.code in REPETITIONS]
    assert not found, [(each.code, each.subject, each.message, each.trigger) for each in found]
