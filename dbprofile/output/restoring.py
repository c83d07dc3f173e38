"""Restoring: a Report from the document that the JSON renderer made of it, for any renderer, and for comparison with another."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.counters import Counter
from dbprofile.capture.database import Database
from dbprofile.capture.profile import Profile
from dbprofile.capture.provenance import Provenance
from dbprofile.capture.query import Digest, Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.report import Report
from dbprofile.findings.silence import Silenced
from dbprofile.output.fields import DamagedError, Fields
from dbprofile.output.source import Root
from dbprofile.sql.statement import Statement

__all__ = ["restored"]

_SEVERITIES: Final = {str(severity): severity for severity in Severity}
#: Queries of a finding that stand for those which a document without queries only counts.
_MOST_QUERIES: Final = 100_000
#: A statement and the database it ran on.
_Key = tuple[str, str]


def restored(document: object, root: Root) -> Report:
    """The report that a document was made of.

    Numbers are those of the document, not computed anew. What a document has no room for is not there: parameters but that two are
    the same, lineages, units of work.

    Args:
        document: as ``renderers.json.document`` makes it, with queries or without.
        root: the folder that its paths are relative to.

    Raises:
        DamagedError: for a field that is missing, or holds what it cannot hold.
    """
    return _Restorer(Fields(document), os.fspath(root)).report()


class _Restorer:
    def __init__(self, fields: Fields, root: str) -> None:
        self._fields = fields
        self._root = root
        self._databases: dict[str, Database] = {}
        self._statements: dict[_Key, Statement] = {}
        self._known: dict[str, Statement] = {}
        self._queries: list[Query] = []
        self._detailed: dict[_Key, list[Query]] = defaultdict(list)

    def report(self) -> Report:
        sums = list(self._fields.each("statements"))
        for one in sums:
            statement = self._statement(one)
            self._statements[statement.fingerprint, one.text("database", "")] = statement
        self._queries = [self._query(one) for one in self._fields.each("queries")]
        for query in self._queries:
            self._detailed[query.statement.fingerprint, query.database.name].append(query)
        profile = self._profile(self._counters(sums))
        return Report(
            profile,
            tuple(self._finding(one) for one in self._fields.each("findings")),
            tuple(
                Silenced(self._finding(one), one.text("silenced_by", ""), one.text("reason", ""))
                for one in self._fields.each("silenced")
            ),
        )

    # --- the profile

    def _profile(self, counters: Sequence[Counter]) -> Profile:
        fields = self._fields
        profile = Profile(
            kind=fields.word("kind"),
            name=fields.text("name"),
            number=fields.integer("number"),
            parent=fields.maybe_integer("parent"),
            labels=fields.scalars("labels"),
            started=_moment(fields),
            seconds=fields.number("seconds"),
            queries=self._queries,
            counters=counters,
            object_seconds=fields.maybe_number("object_seconds"),
            untracked=fields.counts("untracked"),
            late=fields.counts("late"),
            unfinished=fields.integer("unfinished"),
        )
        # Over what a Profile computes when it is asked: it has seen the intervals, the units of work and the texts as sent.
        vars(profile).update(
            query_count=fields.integer("query_count"),
            unique_query_count=fields.integer("unique_query_count"),
            rows=fields.integer("rows"),
            not_counted=fields.counts("not_counted"),
            database_seconds=fields.number("database_seconds"),
            execute_seconds=fields.number("execute_seconds"),
            fetch_seconds=fields.number("fetch_seconds"),
        )
        return profile

    def _counters(self, sums: Sequence[Fields]) -> list[Counter]:
        """The statements that were only counted; of a document without queries one that stands for all of them."""
        if "queries" not in self._fields:
            counter = Counter("", None)
            counter.count = self._fields.integer("query_count")
            return [counter] if counter.count else []
        return [counter for one in sums if (counter := self._counter(one)).count]

    def _counter(self, one: Fields) -> Counter:
        text, name = one.text("text"), one.text("database", "")
        counter = Counter(text, self._database(name) if name or text else None)
        detailed = self._detailed.get((one.text("fingerprint"), name), [])
        counter.count = one.integer("only_counted")
        counter.seconds = max(one.number("seconds") - sum(query.seconds for query in detailed), 0.0)
        counter.fetch_seconds = max(one.number("fetch_seconds") - sum(query.fetch_seconds for query in detailed), 0.0)
        counter.longest = one.number("longest_seconds")
        counter.rows = max(one.integer("rows") - sum(query.rows or 0 for query in detailed), 0)
        counter.errors = max(one.integer("errors") - sum(query.error is not None for query in detailed), 0)
        return counter

    # --- queries

    def _query(self, one: Fields) -> Query:
        database = self._database(one.text("database", ""))
        statement = self._statements.get((one.text("fingerprint"), database.name))
        if statement is None:
            raise DamagedError("queries name a statement that is not in statements")
        site = self._place(one.inner("call_site"))
        number = one.maybe_integer("parameters")
        query = Query(
            statement.text,
            database,
            parameters=Digest(number, one.integer("parameter_count"), ()) if number is not None else None,
            # Never 0, which stands for "nobody said when".
            started=round(one.number("after_seconds") * 1e9) + 1,
            seconds=one.number("seconds"),
            rows=one.maybe_integer("rows"),
            provenance=_provenance(one, site),
            call_site=site,
        )
        query.reads_as(statement)
        query.fetch_seconds = one.number("fetch_seconds")
        query.fetches = one.integer("fetches")
        query.connection = one.maybe_integer("connection")
        query.transaction = one.maybe_integer("transaction")
        query.lane = one.integer("lane")
        query.affected_rows = one.maybe_integer("affected_rows")
        query.batch_size = one.maybe_integer("batch_size")
        query.round_trips = one.integer("round_trips", 1)
        query.error = one.maybe_text("error")
        query.undone = one.flag("undone", default=False)
        query.phase = one.text("phase", "handling")
        return query

    def _database(self, name: str) -> Database:
        return self._databases.setdefault(name, Database(name))

    def _statement(self, one: Fields) -> Statement:
        fingerprint = one.text("fingerprint")
        known = self._known.get(fingerprint)
        if known is None:
            known = self._known[fingerprint] = Statement.restored(
                one.text("text"), fingerprint, one.text("shape"), verb=one.text("verb", ""), tables=one.texts("tables")
            )
        return known

    # --- findings

    def _finding(self, one: Fields) -> Finding:
        severity = _SEVERITIES.get(one.text("severity"))
        if severity is None:
            raise DamagedError(f"a finding has none of the severities {', '.join(_SEVERITIES)}")
        statement = one.inner("statement")
        of_finding = self._statement(statement) if statement is not None else None
        return Finding(
            code=one.word("code"),
            kind=one.word("kind"),
            severity=severity,
            subject=one.text("subject"),
            message=one.text("message"),
            count=one.integer("count"),
            seconds=one.number("seconds"),
            avoidable_seconds=one.number("avoidable_seconds"),
            threshold=one.maybe_number("threshold"),
            relation=one.maybe_text("relation"),
            relation_kind=one.text("relation_kind", ""),
            trigger=self._place(one.inner("trigger")),
            callers=tuple(site for each in one.each("callers") if (site := self._place(each)) is not None),
            origin=self._place(one.inner("origin")),
            origin_rows=one.maybe_integer("origin_rows"),
            statement=of_finding,
            fix=self._fix(one.inner("fix")),
            queries=tuple(self._queries_of(one, of_finding)),
            evidence=one.text("evidence", "observed"),
            variant=one.text("variant", ""),
            operation=one.text("operation", ""),
        )

    def _queries_of(self, one: Fields, statement: Statement | None) -> Iterator[Query]:
        if "queries" in one:
            yield from (self._queries[index] for index in one.integers("queries", below=len(self._queries)))
            return
        text = statement.text if statement is not None else ""
        alike = Query(text, self._database(""), call_site=self._place(one.inner("trigger")))
        for _ in range(min(one.integer("query_count"), _MOST_QUERIES)):
            yield alike

    def _fix(self, one: Fields | None) -> Fix | None:
        if one is None:
            return None
        return Fix(
            one.text("text"),
            self._place(one.inner("place")),
            one.text("expression", ""),
            one.text("kind", "advice"),
            one.integer("leaves"),
            one.flag("certain", default=True),
            one.integer("replaces"),
        )

    def _place(self, one: Fields | None) -> CallSite | None:
        if one is None:
            return None
        file, line = one.text("file"), one.integer("line")
        return CallSite(
            # Where no line is known it is no file either, but what stands for one.
            os.path.join(self._root, file) if line else file,
            line,
            one.text("function", ""),
            template=one.maybe_text("template"),
            tag=one.maybe_text("tag"),
            field=one.maybe_text("field"),
        )


def _provenance(one: Fields, site: CallSite | None) -> Provenance | None:
    role = one.maybe_text("role")
    if role is None:
        return None
    return Provenance(
        role,
        operation=one.text("operation", ""),
        relation=one.maybe_text("relation"),
        path=(site,) if site is not None else (),
        field=site.field if site is not None else None,
        infrastructure=one.text("infrastructure", ""),
    )


def _moment(fields: Fields) -> float:
    written = fields.maybe_text("started")
    if written is None:
        return 0.0
    try:
        moment = datetime.fromisoformat(written)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise DamagedError("started is no moment of RFC 3339") from error
