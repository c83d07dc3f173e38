import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.capture.eager import EagerLoad
from dbprofile.capture.provenance import Provenance
from dbprofile.capture.query import Query
from dbprofile.rules import UnusedEagerLoad
from tests.building import lazy, origin_of, profile, read


def authors() -> Query:
    return read("SELECT id FROM author", rows=3)


def prefetched(above: Query, relation: str = "Author.books") -> Query:
    """A load for all rows of a query at once."""
    query = read("SELECT id FROM book WHERE author_id IN (?, ?, ?)", (1, 2, 3), rows=7, ms=30)
    lineage = origin_of(above)
    query.provenance = Provenance(
        "eager", relation=relation, parent_lineage=lineage, lineage=lineage.child("P", relation, "one_to_many")
    )
    return query


def asked(above: Query, parents: int) -> list[Query]:
    """A load for each of some rows of a query."""
    loads = [lazy("Author.books", number, origin_of(above), kind="one_to_many") for number in range(parents)]
    for load in loads:
        assert load.provenance is not None
        load.provenance.operation = "filter"
    return loads


def found(*queries: Query) -> list[Finding]:
    return list(Profiler(rules=[UnusedEagerLoad()]).report(profile(*queries)).findings)


@pytest.mark.parametrize(("parents", "codes"), [(1, []), (2, ["DBP301"])])
def test_a_relation_that_is_loaded_at_once_and_asked_again_by_two_rows_serves_neither(
    parents: int, codes: list[str]
) -> None:
    books = authors()

    assert [finding.code for finding in found(books, prefetched(books), *asked(books, parents))] == codes


def test_it_says_what_was_loaded_and_what_it_does_not_serve() -> None:
    books = authors()
    load = prefetched(books)
    (finding,) = found(books, load, *asked(books, 3))

    assert finding.message == "7 rows of Author.books loaded at once, which do not serve filter()"
    assert (finding.severity, finding.subject, finding.queries) == (Severity.WARNING, "Author.books", (load,))
    assert finding.avoidable_seconds == load.seconds


def test_another_relation_or_the_rows_of_another_query_may_be_used() -> None:
    one, other = authors(), read("SELECT id FROM author WHERE name = ?", ("Jo",))

    assert found(one, prefetched(one, "Author.prizes"), *asked(one, 3)) == []
    assert found(one, other, prefetched(other), *asked(one, 3)) == []


def test_what_nobody_asks_for_again_is_used_for_all_that_one_unit_of_work_can_tell() -> None:
    books = authors()

    assert found(books, prefetched(books)) == []


# --- the audit -------------------------------------------------------------------------------------------------------


def unread(*queries: Query, loads: list[tuple[int, int]], relation: str = "Author.books") -> list[Finding]:
    """What an audit says of loads of one relation for the rows of the first query: each with its rows and its uses."""
    noted = [EagerLoad(relation, origin_of(queries[0]), "unit", *each) for each in loads]
    audit = Profiler(rules=[UnusedEagerLoad(audit=True)])
    return list(audit.report(profile(*queries, eager_loads=tuple(noted))).findings)


@pytest.mark.parametrize(
    ("loads", "codes"),
    [([(3, 0)], ["DBP301"]), ([(3, 1)], []), ([(0, 0)], []), ([(3, 0), (2, 1)], []), ([(3, 0), (2, 0)], ["DBP301"])],
    ids=["nobody read it", "somebody did", "there was nothing", "one of two places did", "neither did"],
)
def test_an_audit_sums_the_uses_of_one_place(loads: list[tuple[int, int]], codes: list[str]) -> None:
    books = authors()

    assert [finding.code for finding in unread(books, prefetched(books), loads=loads)] == codes


def test_what_a_narrowed_question_read_and_threw_away_is_no_use() -> None:
    books = authors()
    (finding,) = unread(books, prefetched(books), *asked(books, 1), loads=[(3, 1)])

    assert (finding.severity, finding.message) == (
        Severity.INFO, "Author.books of 3 rows loaded at once, and never read",
    )  # fmt: skip
    assert finding.subject == finding.relation == "Author.books"


def test_a_relation_that_came_joined_is_told_with_the_query_of_its_rows() -> None:
    books = authors()
    (finding,) = unread(books, loads=[(3, 0)], relation="Author.country")

    assert finding.queries == (books,)


def test_what_is_asked_for_again_is_said_once() -> None:
    books = authors()
    findings = unread(books, prefetched(books), *asked(books, 2), loads=[(3, 2)])

    assert [finding.severity for finding in findings] == [Severity.WARNING]


def test_without_an_audit_nobody_says_that_it_was_not_read() -> None:
    books = authors()
    noted = EagerLoad("Author.books", origin_of(books), "unit", loads=3)

    assert not Profiler(rules=[UnusedEagerLoad()]).report(profile(books, eager_loads=(noted,))).findings
