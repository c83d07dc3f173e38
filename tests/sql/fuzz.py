"""Coverage-guided fuzzing: texts that grow towards every branch of the scanner, held to what must hold for each text.

``python -m tests.sql.fuzz -max_total_time=600`` needs atheris, which is no dependency of the tests. What it finds goes into
``test_properties.py``; options are libFuzzer's.
"""

import importlib
import sys
import time
from typing import Any

atheris: Any = importlib.import_module("atheris")

# Only what is imported in here is watched, and grown towards.
with atheris.instrument_imports(include=["dbprofile.sql"]):
    from dbprofile.sql import Statement, measure
    from dbprofile.sql.fingerprint import canonical
    from dbprofile.sql.tokens import MOST_STEPS, scan

from tests.sql.generating import DIALECTS, FRAGMENTS, PARAMSTYLES, SECRET, quoted  # noqa: E402 - it imports the same

FORMS = ("plain", "dollar", "escape", "double")


def check(data: bytes) -> None:
    """One text in one dialect: everything is made of it, and nothing of that may be wrong."""
    provider = atheris.FuzzedDataProvider(data)
    dialect = provider.PickValueInList(list(DIALECTS))
    paramstyle = provider.PickValueInList(list(PARAMSTYLES))
    secret = quoted(
        provider.ConsumeUnicode(6) + SECRET + provider.ConsumeUnicode(6), dialect, provider.PickValueInList(list(FORMS))
    )
    pieces = [f"SELECT {secret} "]
    while provider.remaining_bytes() and len(pieces) < 200:
        pieces.append(
            provider.PickValueInList(list(FRAGMENTS)) if provider.ConsumeBool() else provider.ConsumeUnicode(4)
        )
        pieces.append(" " if provider.ConsumeBool() else "")
    text = "".join(pieces)
    started = time.process_time()
    statement = Statement(text, dialect, paramstyle)
    shown = (statement.text, statement.sanitized, statement.summary, statement.shape, statement.traits.tail)
    measure(text, dialect, paramstyle)
    spent = time.process_time() - started
    assert SECRET not in "\n".join(shown).lower(), (text, dialect, paramstyle)
    assert spent < 0.3, (spent, text, dialect, paramstyle)
    slow = scan(text, dialect, paramstyle, fast=False)
    if len(slow.kinds) < MOST_STEPS:
        assert canonical(slow) == statement.text, (text, dialect, paramstyle)


def main() -> None:
    """Fuzz until told to stop."""
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
