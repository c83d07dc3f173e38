"""The exceptions that dbprofile raises itself: all of them mistakes of whoever sets it up, none of them raised inside a request."""

__all__ = ["ConfigurationError", "DBProfileError"]


class DBProfileError(Exception):
    """Base class of every exception that dbprofile raises on purpose."""


class ConfigurationError(DBProfileError, ValueError):
    """A setting, keyword or environment variable that dbprofile cannot use.

    Raised at set-up time only. The message names the value that was seen, the values that are allowed, and the line to write.
    """
