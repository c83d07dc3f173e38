"""The shape of a statement: what people read."""

from dbprofile.sql.fingerprint import canonical
from dbprofile.sql.tokens import Tokens


def outline(tokens: Tokens) -> str:
    """Verb, tables and conditions."""
    return canonical(tokens)
