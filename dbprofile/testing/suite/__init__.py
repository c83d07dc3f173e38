"""The suite that an adapter must pass: contracts whose tests are inherited, for adapters with statements and those with scopes."""

from dbprofile.testing.suite.queries import Connection, QueriesContract

__all__ = ["Connection", "QueriesContract"]
