"""A response of 200,000 rows, streamed: watching it takes no memory that grows with its rows."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tree import REPOSITORY

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

MEGABYTE = 1_000_000
LIBRARIES = pytest.mark.parametrize("library", ["sqlalchemy", "django"])


def _streamed(library: str, kind: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.integrations.streams", library, kind, str(folder / f"{kind}.sqlite3")],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@LIBRARIES
def test_streaming_under_a_scope_takes_at_most_two_megabytes_more(library: str, tmp_path: Path) -> None:
    bare, watched = (_streamed(library, kind, tmp_path) for kind in ("bare", "watched"))
    assert bare["length"] == watched["length"] > 2 * MEGABYTE
    assert watched["seen"] == [[200_000, "streaming"]]
    assert watched["grown"] - bare["grown"] <= 2 * MEGABYTE


def test_a_few_bytes_kept_of_each_row_would_be_noticed(tmp_path: Path) -> None:
    bare, leaking = (_streamed("django", kind, tmp_path) for kind in ("bare", "leaking"))
    assert leaking["grown"] - bare["grown"] > 2 * MEGABYTE
