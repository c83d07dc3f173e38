"""The names of everything that is sent: events, attributes, instruments, their buckets, and the conventions they follow."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "DEFAULT_PORTS",
    "DURATION_BUCKETS",
    "DURATION_UNIT",
    "HTTP_METHODS",
    "INSTRUMENTATION",
    "OTHER_METHOD",
    "QUERY_COUNT_BUCKETS",
    "SCHEMA_URL",
    "SLOW_QUERY_CODE",
    "SYSTEMS",
    "Attribute",
    "Instrument",
    "Occurrence",
]

#: Name of the instrumentation scope of every signal.
INSTRUMENTATION: Final = "dbprofile"
#: The version of the semantic conventions that the names follow.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"


#: The finding that a slow query is shown as everywhere else.
SLOW_QUERY_CODE: Final = "DBP201"


class Occurrence:
    """Names of events. One name has one structure."""

    SLOW_QUERY: Final = "dbprofile.slow_query"
    N_PLUS_ONE: Final = "dbprofile.n_plus_one"


class Attribute:
    """Names of attributes: those of the conventions, and our own under ``dbprofile``."""

    DB_SYSTEM: Final = "db.system.name"
    DB_NAMESPACE: Final = "db.namespace"
    DB_SUMMARY: Final = "db.query.summary"
    DB_TEXT: Final = "db.query.text"
    DB_BATCH_SIZE: Final = "db.operation.batch.size"
    DB_STATUS: Final = "db.response.status_code"
    ERROR_TYPE: Final = "error.type"
    SERVER_ADDRESS: Final = "server.address"
    SERVER_PORT: Final = "server.port"
    CODE_FILE: Final = "code.file.path"
    CODE_FUNCTION: Final = "code.function.name"
    CODE_LINE: Final = "code.line.number"
    HTTP_METHOD: Final = "http.request.method"
    HTTP_ROUTE: Final = "http.route"

    FINDING_CODE: Final = "dbprofile.finding.code"
    SUPPRESSED: Final = "dbprofile.suppressed_count"
    SCOPE_KIND: Final = "dbprofile.scope.kind"
    SCOPE_NAME: Final = "dbprofile.scope.name"
    EVENT_NAME: Final = "dbprofile.event.name"
    DROP_REASON: Final = "dbprofile.drop.reason"

    FINGERPRINT: Final = "dbprofile.query.fingerprint"
    AFFECTED_ROWS: Final = "dbprofile.query.affected_rows"
    DURATION: Final = "dbprofile.query.duration"
    THRESHOLD: Final = "dbprofile.query.threshold"

    LOOP_KIND: Final = "dbprofile.n_plus_one.kind"
    LOOP_COUNT: Final = "dbprofile.n_plus_one.query_count"
    LOOP_THRESHOLD: Final = "dbprofile.n_plus_one.threshold"
    LOOP_PARAMETERS: Final = "dbprofile.n_plus_one.distinct_parameter_count"
    LOOP_DURATION: Final = "dbprofile.n_plus_one.query_duration"
    LOOP_RELATION: Final = "dbprofile.n_plus_one.relation"
    LOOP_PARENT: Final = "dbprofile.n_plus_one.parent_fingerprint"

    REQUEST_QUERIES: Final = "dbprofile.request.query_count"
    REQUEST_UNIQUE: Final = "dbprofile.request.unique_query_count"
    REQUEST_DURATION: Final = "dbprofile.request.query_duration"
    REQUEST_SLOWEST: Final = "dbprofile.request.slowest_query_duration"
    REQUEST_SLOW: Final = "dbprofile.request.slow_query_count"
    REQUEST_FAILED: Final = "dbprofile.request.failed_query_count"
    REQUEST_LOOPS: Final = "dbprofile.request.n_plus_one_count"
    REQUEST_FINGERPRINTS: Final = "dbprofile.request.n_plus_one_fingerprints"


class Instrument:
    """Names of metrics."""

    REQUEST_QUERIES: Final = "dbprofile.request.queries"
    REQUEST_DURATION: Final = "dbprofile.request.db.duration"
    SLOW_QUERIES: Final = "dbprofile.slow_queries"
    FINDINGS: Final = "dbprofile.n_plus_one.findings"
    DROPPED: Final = "dbprofile.events.dropped"
    OVERFLOWS: Final = "dbprofile.metrics.overflows"


DURATION_UNIT: Final = "s"
#: The buckets that the conventions give for the duration of a database call, in seconds.
DURATION_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
QUERY_COUNT_BUCKETS: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)

#: ``db.system.name`` where it is not the library's own word: SQLAlchemy's dialects and Django's vendors.
SYSTEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "db2": "ibm.db2",
        "ibm_db_sa": "ibm.db2",
        "microsoft": "microsoft.sql_server",
        "mssql": "microsoft.sql_server",
        "oracle": "oracle.db",
        "redshift": "aws.redshift",
    }
)
#: Ports that are not worth an attribute, by ``db.system.name``.
DEFAULT_PORTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "aws.redshift": 5439,
        "cockroachdb": 26257,
        "ibm.db2": 50000,
        "mariadb": 3306,
        "microsoft.sql_server": 1433,
        "mysql": 3306,
        "oracle.db": 1521,
        "postgresql": 5432,
    }
)

#: Methods that stand for themselves. Any client may invent one, and each would be a series of its own.
HTTP_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
OTHER_METHOD: Final = "_OTHER"
