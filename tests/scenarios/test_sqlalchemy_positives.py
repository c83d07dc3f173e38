"""Patterns that people write, and what is said of them: code, subject, and the lines that comments in the source name."""

import inspect
import re
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, StaticPool, create_engine
from sqlalchemy.orm import Session, selectinload, undefer

import dbprofile_sqlalchemy
from dbprofile import Finding, Profiler, Report, record
from tests.editing import applied
from tests.integrations.sqlalchemy.models import Node
from tests.integrations.sqlalchemy.models import fill as fill_library
from tests.scenarios import sqlalchemy_positives as positives

Pattern = Callable[[Session], object]

EXPECTED = {
    "s01": ("DBP101", "Book.author"),
    "s02": ("DBP101", "Author.books"),
    "s03_one_to_one": ("DBP101", "Author.profile"),
    "s03_one_to_one_forwards": ("DBP101", "Profile.author"),
    "s04": ("DBP101", "Book.tags"),
    "s05_deferred": ("DBP101", "Author.bio"),
    "s05": ("DBP101", "Book.title"),
    "s06": ("DBP101", "Tag"),
    "s09": ("DBP101", "Reader.card"),
    "s10": ("DBP101", "Author.country"),
    "s14_refresh_of_a_relation": ("DBP101", "Author"),
    "s14": ("DBP101", "Tag"),
    "s15": ("DBP101", "Book.author"),
    "s17": ("DBP101", "Book.author"),
    "s19": ("DBP101", "Book.author"),
    "s26": ("DBP101", "Book.author"),
    "s33": ("DBP101", "Node.children"),
    "l08": ("DBP102", None),
    "l11": ("DBP102", None),
    "l12": ("DBP102", None),
    "l20": ("DBP102", None),
    "l24": ("DBP102", None),
    "w01": ("DBP121", None),
    "w02": ("DBP121", None),
    "w03": ("DBP121", None),
}
EDITED = {"s01", "s02", "s03", "s04", "s05", "s10", "s15", "s17", "s19"}
"""Patterns that one edit of one line cures, so that the fix must be such an edit."""

REPETITIONS = {"DBP101", "DBP102", "DBP121"}
FUNCTIONS = [function for name, function in vars(positives).items() if re.match(r"[slw]\d\d_", name)]


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    dbprofile_sqlalchemy.install()
    yield
    dbprofile_sqlalchemy.uninstall()


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    yield engine
    engine.dispose()


def fill(engine: Engine, size: int) -> None:
    fill_library(engine, size)
    with Session(engine) as session:
        for number in range(1, size + 1):
            session.add(Node(id=number, parent_id=number - 1 or None))
        session.commit()


def judged(pattern: Pattern, engine: Engine) -> Report:
    with Session(engine) as session, record("block", profiler=Profiler()) as recording:
        pattern(session)
    return recording.report


def line_of(function: Pattern, mark: str) -> int | None:
    lines, start = inspect.getsourcelines(function)
    return next((start + at for at, line in enumerate(lines) if line.rstrip().endswith(f"# {mark}")), None)


@pytest.mark.parametrize("pattern", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_pattern_is_found_named_and_placed(pattern: Pattern, engine: Engine) -> None:
    fill(engine, 5)
    found = [finding for finding in judged(pattern, engine).findings if finding.code in REPETITIONS]
    name = pattern.__name__
    code, subject = EXPECTED.get(name) or EXPECTED[name[:3]]
    assert [finding.code for finding in found] == [code], [(f.code, f.subject, f.message) for f in found]
    (finding,) = found
    if subject is not None:
        assert finding.subject == subject
    _is_placed(finding, pattern)


@pytest.mark.parametrize("pattern", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_certain_fix_makes_the_number_of_queries_equal_for_two_and_for_five_parents(
    pattern: Pattern, engine: Engine
) -> None:
    fill(engine, 5)
    fixes = [finding.fix for finding in judged(pattern, engine).findings if finding.code in REPETITIONS]
    edits = [fix for fix in fixes if fix is not None and fix.certain and fix.kind != "advice"]
    if pattern.__name__[:3] in EDITED:
        assert edits, fixes
    for fix in edits:
        cured = applied(fix, positives, selectinload=selectinload, undefer=undefer)[pattern.__name__]
        counts = []
        for parents in (2, 5):
            fill(engine, parents)
            report = judged(cured, engine)
            counts.append(report.profile.query_count)
            assert not [finding for finding in report.findings if finding.code in REPETITIONS], fix.text
        assert counts[0] == counts[1], fix.text


def _is_placed(finding: Finding, function: Pattern) -> None:
    trigger, origin = line_of(function, "trigger"), line_of(function, "origin")
    if trigger is not None:
        assert finding.trigger is not None
        assert finding.trigger.line == trigger
    if origin is not None:
        assert finding.origin is not None
        assert finding.origin.line == origin
