"""The load benchmark, for a moment: both servers, with every request counted right."""

from pathlib import Path

import pytest

from benchmarks.load.__main__ import main
from tests.services import temporary_database


@pytest.mark.service("postgresql")
@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_every_request_under_a_server_is_counted_right(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_database("postgresql", tmp_path) as database:
        options = ["--server", server, "--mode", "full", "--requests", "200"]
        failed = main(["--database", database.sqlalchemy_url(), *options])

    said = capsys.readouterr().out
    assert not failed, said
    assert "200 of 200 requests, 0 wrong, 0 statements untracked" in said
