"""Patterns that people write, and what is said of them: code, subject, and the lines that comments in the source name."""

import inspect
import re
from collections.abc import Callable, Iterator

import pytest

from dbprofile import Finding
from tests.editing import applied
from tests.integrations.django import project
from tests.integrations.django.conftest import Judge, judge, sqlite  # noqa: F401 - fixtures
from tests.scenarios.library import positives
from tests.scenarios.library.models import fill

EXPECTED = {
    "d01": ("DBP101", "Book.author"),
    "d02": ("DBP101", "Author.books"),
    "d03": ("DBP101", "Author.profile"),
    "d04": ("DBP101", "Profile.author"),
    "d05": ("DBP101", "Book.tags"),
    "d06": ("DBP101", "Tag.books"),
    "d07": ("DBP101", "Note.target"),
    "d08": ("DBP101", "Book.notes"),
    "d09": ("DBP101", "Book.blurb"),
    "d10": ("DBP101", "Book.author_id"),
    "d11": ("DBP101", "Author.books"),
    "d12": ("DBP101", "Author.books"),
    "d13": ("DBP101", "Author.books"),
    "d14": ("DBP101", "Author.books"),
    "d15": ("DBP101", "Author.books"),
    "d16": ("DBP101", "Author.books"),
    "d17_elements": ("DBP102", None),
    "d17": ("DBP102", "SELECT library_book WHERE id = ? LIMIT ?"),
    "d18": ("DBP102", None),
    "d19": ("DBP102", None),
    "d20": ("DBP102", None),
    "d21": ("DBP101", "Author.country"),
    "d22": ("DBP101", "Book.author"),
    "d23": ("DBP101", "Author.country"),
    "d24": ("DBP101", "Book.tags"),
    "d26": ("DBP101", "Book.author"),
    "d28": ("DBP101", "Book.author"),
    "d31": ("DBP101", "Author.books"),
    "d32": ("DBP101", "Place.restaurant"),
    "d33": ("DBP101", "Node.children"),
    "d35": ("DBP101", None),
    "d36": ("DBP101", "Book.author"),
    "d39": ("DBP101", "Author.profile"),
    "d40": ("DBP101", "Author.country"),
    "d41": ("DBP101", "Author.books"),
    "d42": ("DBP101", "Book.author"),
    "d51": ("DBP101", "Book.author"),
    "d53": ("DBP101", "Author.books"),
    "d55": ("DBP102", None),
    "d56": ("DBP102", None),
    "d57": ("DBP102", None),
    "w01": ("DBP121", None),
    "w02": ("DBP121", None),
    "w03": ("DBP121", None),
    "w04": ("DBP121", None),
    "w05": ("DBP121", None),
}
EDITED = {f"d{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 9, 10, 21, 22, 23, 26, 28, 32, 36, 39, 40, 41, 42)}
"""Patterns that one edit of one line cures, so that the fix must be such an edit."""

REPETITIONS = {"DBP101", "DBP102", "DBP121"}
FUNCTIONS = [function for name, function in vars(positives).items() if re.match(r"[dw]\d\d_", name)]


@pytest.fixture(autouse=True)
def library(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    fill(5)
    yield
    project.close()


def line_of(function: Callable[[], object], mark: str) -> int | None:
    lines, start = inspect.getsourcelines(function)
    return next((start + at for at, line in enumerate(lines) if line.rstrip().endswith(f"# {mark}")), None)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_pattern_is_found_named_and_placed(function: Callable[[], object], judge: Judge) -> None:  # noqa: F811 - the fixture
    found = [finding for finding in judge(function).findings if finding.code in REPETITIONS]
    code, subject = EXPECTED.get(function.__name__) or EXPECTED[function.__name__[:3]]
    if function.__name__[:3] == "d24":
        assert {finding.relation for finding in found} == {"Author.books", "Book.tags"}
        assert len({finding.fix.text for finding in found if finding.fix is not None}) == 1
        return
    assert [finding.code for finding in found] == [code], [(f.code, f.subject, f.message) for f in found]
    (finding,) = found
    if subject is not None:
        assert finding.subject == subject
    _is_placed(finding, function)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_certain_fix_makes_the_number_of_queries_equal_for_two_and_for_five_parents(
    function: Callable[[], object],
    judge: Judge,  # noqa: F811 - the fixture
) -> None:
    sick = judge(function)
    cures = [(finding, finding.fix) for finding in sick.findings if finding.code in REPETITIONS]
    edits = [(finding, fix) for finding, fix in cures if fix is not None and fix.certain and fix.kind != "advice"]
    if function.__name__[:3] in EDITED:
        assert edits
    for finding, fix in edits:
        cured = applied(fix, positives)[function.__name__]
        counts = []
        for parents in (2, 5):
            fill(parents)
            report = judge(cured)
            counts.append(report.profile.query_count)
            assert not [finding for finding in report.findings if finding.code in REPETITIONS]
        promised = sick.profile.query_count - (fix.replaces or len(finding.queries)) + fix.leaves
        assert counts == [promised, promised], fix.text


def _is_placed(finding: Finding, function: Callable[[], object]) -> None:
    trigger, origin = line_of(function, "trigger"), line_of(function, "origin")
    if trigger is not None:
        assert finding.trigger is not None
        assert finding.trigger.line == trigger
    if origin is not None:
        assert finding.origin is not None
        assert finding.origin.line == origin
