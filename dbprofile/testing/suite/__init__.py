"""The suite that an adapter must pass: contracts whose tests are inherited, for adapters with statements and those with scopes."""

from dbprofile.testing.suite.queries import Connection, QueriesContract
from dbprofile.testing.suite.requests import RequestsContract
from dbprofile.testing.suite.scopes import Call, Handle, Reply, ScopesContract
from dbprofile.testing.suite.source import Source

__all__ = ["Call", "Connection", "Handle", "QueriesContract", "Reply", "RequestsContract", "ScopesContract", "Source"]
