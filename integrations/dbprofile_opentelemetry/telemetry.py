"""What is said of a query, a finding and a unit of work: the attributes of each, and the instruments that count them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.metrics import MeterProvider, get_meter

from dbprofile import Database, Finding, Profile, Query, Statement
from dbprofile.hooks import CallSite
from dbprofile_opentelemetry.failures import describe
from dbprofile_opentelemetry.limits import FirstOnes
from dbprofile_opentelemetry.logs import Value
from dbprofile_opentelemetry.names import (
    DEFAULT_PORTS,
    DURATION_BUCKETS,
    DURATION_UNIT,
    HTTP_METHODS,
    INSTRUMENTATION,
    OTHER_METHOD,
    QUERY_COUNT_BUCKETS,
    SCHEMA_URL,
    SYSTEMS,
    Attribute,
    Instrument,
)

__all__ = [
    "TEXTS",
    "Instruments",
    "executions",
    "loop_attributes",
    "loop_totals",
    "request_totals",
    "served",
    "slow_attributes",
    "system_name",
]

#: How much of the SQL is sent.
TEXTS: Final = ("sanitized", "verbatim", "off")
#: Verbs of which the number of affected rows means something.
_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE"})
#: Fingerprints that one span carries.
_FINGERPRINTS: Final = 5

Attributes = dict[str, Value]


# --- a query --------------------------------------------------------------------------------------------------------


def slow_attributes(
    query: Query,
    exception: BaseException | None,
    site: CallSite | None,
    *,
    text: str,
    limit: int,
) -> Attributes:
    """What is said of one execution.

    Args:
        query: the execution.
        exception: of a failed one, while it is live.
        site: the line of the application.
        text: one of ``TEXTS``.
        limit: characters of the text.
    """
    statement = query.statement
    attributes = _statement_attributes(statement, query, text, limit)
    if query.batch_size is not None and query.batch_size != 1:
        attributes[Attribute.DB_BATCH_SIZE] = query.batch_size
    if exception is not None:
        code, kind = describe(exception, system_name(query.database))
        if code is not None:
            attributes[Attribute.DB_STATUS] = code
        attributes[Attribute.ERROR_TYPE] = kind
    elif query.error is not None:
        attributes[Attribute.ERROR_TYPE] = query.error
    if query.affected_rows is not None and statement.verb in _WRITES:
        attributes[Attribute.AFFECTED_ROWS] = query.affected_rows
    return attributes | _place_attributes(site)


def _statement_attributes(statement: Statement, query: Query, text: str, limit: int) -> Attributes:
    attributes = _database_attributes(query.database)
    if statement.summary:
        attributes[Attribute.DB_SUMMARY] = statement.summary
    if text != "off":
        # A text with parameters has its values elsewhere; one without is masked in any case.
        has_parameters = query.batch_size is not None or (query.parameters is not None and query.parameters.count > 0)
        attributes[Attribute.DB_TEXT] = (query.sql if text == "verbatim" and has_parameters else statement.sanitized)[
            :limit
        ]
    attributes[Attribute.FINGERPRINT] = statement.fingerprint
    return attributes


def _database_attributes(database: Database) -> Attributes:
    system = system_name(database)
    attributes: Attributes = {Attribute.DB_SYSTEM: system}
    if database.namespace:
        attributes[Attribute.DB_NAMESPACE] = database.namespace
    if database.host:
        attributes[Attribute.SERVER_ADDRESS] = database.host
        if database.port is not None and database.port != DEFAULT_PORTS.get(system):
            attributes[Attribute.SERVER_PORT] = database.port
    return attributes


def system_name(database: Database) -> str:
    """The product by the name that the conventions give it."""
    word = database.system.lower()
    return SYSTEMS.get(word, word)


def _place_attributes(site: CallSite | None) -> Attributes:
    if site is None:
        return {}
    attributes: Attributes = {Attribute.CODE_FILE: site.file}
    if site.function:
        attributes[Attribute.CODE_FUNCTION] = site.function
    if site.line:
        attributes[Attribute.CODE_LINE] = site.line
    return attributes


# --- a finding ------------------------------------------------------------------------------------------------------


def executions(finding: Finding) -> Sequence[Query]:
    """The executions of the finding's own statement, without those that they brought along."""
    own = [query for query in finding.queries if query.statement == finding.statement]
    return own or finding.queries


def loop_attributes(finding: Finding, *, text: str, limit: int) -> Attributes:
    """What is said of an N+1; ``text`` and ``limit`` as for a query."""
    queries = executions(finding)
    attributes: Attributes = {}
    if finding.statement is not None and queries:
        attributes = _statement_attributes(finding.statement, queries[0], text, limit)
    attributes |= _place_attributes(finding.trigger)
    attributes[Attribute.FINDING_CODE] = finding.code
    attributes[Attribute.LOOP_KIND] = finding.kind
    attributes[Attribute.LOOP_COUNT] = len(queries) or finding.count
    attributes[Attribute.LOOP_DURATION] = finding.seconds
    if finding.threshold is not None:
        attributes[Attribute.LOOP_THRESHOLD] = int(finding.threshold)
    distinct = {query.parameters for query in queries if query.parameters is not None}
    if distinct:
        attributes[Attribute.LOOP_PARAMETERS] = len(distinct)
    if finding.relation is not None:
        attributes[Attribute.LOOP_RELATION] = finding.relation
    parent = _parent_statement(queries)
    if parent is not None:
        attributes[Attribute.LOOP_PARENT] = parent.fingerprint
    return attributes


def _parent_statement(queries: Sequence[Query]) -> Statement | None:
    """The statement that loaded the rows which the queries hang on, where that was an ordinary query."""
    why = queries[0].provenance if queries else None
    above = why.parent_lineage if why is not None else None
    if above is None or above.kind != "Q" or above.database is None:
        return None
    return Statement.of(above.name, above.database.dialect, above.database.paramstyle)


# --- a unit of work -------------------------------------------------------------------------------------------------


def served(labels: Mapping[str, object]) -> Attributes:
    """The method and the route of a request, as far as they are known; empty for a task or a block."""
    attributes: Attributes = {}
    method = labels.get(Attribute.HTTP_METHOD)
    if isinstance(method, str):
        attributes[Attribute.HTTP_METHOD] = method if method in HTTP_METHODS else OTHER_METHOD
    route = labels.get(Attribute.HTTP_ROUTE)
    if isinstance(route, str) and route:
        attributes[Attribute.HTTP_ROUTE] = route
    return attributes


def request_totals(profile: Profile, threshold: float) -> Attributes:
    """The totals of a unit of work: counts and durations only, since the last byte of a response waits for them.

    Args:
        profile: what the unit has done so far.
        threshold: seconds from which a statement is slow.
    """
    queries, counters = profile.queries, profile.counters
    slowest = [query.total_seconds for query in queries] + [counter.longest for counter in counters]
    # Of many executions in one counter the slow ones are not told apart; where one was, one at least is counted.
    slow = sum(seconds >= threshold for seconds in slowest)
    failed = sum(query.error is not None for query in queries) + sum(counter.errors for counter in counters)
    return {
        Attribute.REQUEST_QUERIES: profile.query_count,
        Attribute.REQUEST_UNIQUE: profile.unique_query_count,
        Attribute.REQUEST_DURATION: profile.database_seconds,
        Attribute.REQUEST_SLOWEST: max(slowest, default=0.0),
        Attribute.REQUEST_SLOW: slow,
        Attribute.REQUEST_FAILED: failed,
    }


def loop_totals(findings: Sequence[Finding]) -> Attributes:
    """The N+1 queries of a unit of work, worst first; for a span that waits for the verdict."""
    attributes: Attributes = {Attribute.REQUEST_LOOPS: len(findings)}
    fingerprints = [finding.statement.fingerprint for finding in findings if finding.statement is not None]
    if fingerprints:
        attributes[Attribute.REQUEST_FINGERPRINTS] = list(dict.fromkeys(fingerprints))[:_FINGERPRINTS]
    return attributes


# --- metrics --------------------------------------------------------------------------------------------------------


class Instruments:
    """The histograms and counters, and the bounds on their series.

    Args:
        version: of the instrumentation scope.
        provider: the global one otherwise, also one that is set later.
        max_summaries: distinct statements that counters tell apart.
        max_connections: distinct databases that counters tell apart.
    """

    def __init__(
        self,
        version: str,
        provider: MeterProvider | None = None,
        *,
        max_summaries: int = 200,
        max_connections: int = 50,
    ) -> None:
        meter = get_meter(INSTRUMENTATION, version, provider, SCHEMA_URL)
        self.queries = meter.create_histogram(
            Instrument.REQUEST_QUERIES,
            "{query}",
            "Database queries of one unit of work",
            explicit_bucket_boundaries_advisory=QUERY_COUNT_BUCKETS,
        )
        self.duration = meter.create_histogram(
            Instrument.REQUEST_DURATION,
            DURATION_UNIT,
            "Time in which at least one statement of a unit of work was executing or fetching",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        self.slow = meter.create_counter(Instrument.SLOW_QUERIES, "{query}", "Statements at or over the threshold")
        self.findings = meter.create_counter(Instrument.FINDINGS, "{finding}", "N+1 queries that were found")
        self.dropped = meter.create_counter(Instrument.DROPPED, "{event}", "Events that were not sent")
        self._overflows = meter.create_counter(
            Instrument.OVERFLOWS, "{measurement}", "Measurements that lost an attribute to keep the series few"
        )
        self._summaries = FirstOnes(max_summaries)
        self._connections = FirstOnes(max_connections)

    def series(self, query: Query) -> Attributes:
        """What a metric says of a query: a bounded number of values, whatever the application sends."""
        attributes: Attributes = {Attribute.DB_SYSTEM: system_name(query.database)}
        overflow = False
        if query.database.namespace:
            if self._connections.take_in((query.database.system, query.database.namespace)):
                attributes[Attribute.DB_NAMESPACE] = query.database.namespace
            else:
                overflow = True
        summary = query.statement.summary
        if summary:
            if self._summaries.take_in(summary):
                attributes[Attribute.DB_SUMMARY] = summary
            else:
                overflow = True
        if overflow:
            self._overflows.add(1)
        return attributes
