"""The shop's page and its worker, each in a process of its own, with a folder between them."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest

from tests.tree import REPOSITORY

#: Seconds after which a process is given up.
PATIENCE = 60


@contextmanager
def working(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The worker, from where its log says that it is ready."""
    worker = subprocess.Popen(
        [sys.executable, "-u", "serve.py"],
        cwd=folder,
        env={**os.environ, "DBPROFILE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    patience = threading.Timer(PATIENCE, worker.kill)
    patience.start()
    try:
        assert worker.stdout is not None
        before = list(takewhile(lambda line: " ready." not in line, worker.stdout))
        if worker.poll() is not None:
            pytest.fail("".join(before))
        yield worker
    finally:
        worker.terminate()
        try:
            worker.communicate(timeout=PATIENCE)
        finally:
            worker.kill()
            patience.cancel()


def test_tasks_are_told_by_the_worker_with_the_request_that_published_them(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.sqlite3", ".cache")
    folder = shutil.copytree(REPOSITORY / "examples/celery", tmp_path / "shop", ignore=ignored)
    (tmp_path / "pyproject.toml").touch()
    with working(folder) as worker:
        page = subprocess.Popen(
            [sys.executable, "-W", "error", "visit.py"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        answer, told = page.communicate(timeout=PATIENCE)
        assert worker.stdout is not None
        log, ended = "", 0
        while ended < 4:
            line = next(worker.stdout)
            log += line
            ended += "dbprofile task " in line
        worker.terminate()
        log += worker.stdout.read()

    assert answer == "They are on their way.\n"
    assert told.startswith("dbprofile POST /invoices/ 200 | 0 queries | ")
    assert told.rstrip().endswith("#1")
    of = f"of #1 in process {page.pid}"
    assert f"dbprofile task shop.tasks.send_invoices SUCCESS {of} | 21 queries | " in log
    assert f"dbprofile task shop.tasks.send_cured_invoices SUCCESS {of} | 1 query | " in log
    assert f"dbprofile task shop.tasks.charge RETRY {of} | 1 query | " in log
    assert f"dbprofile task shop.tasks.charge SUCCESS {of} | 1 query | " in log
    assert "  N+1   20 queries that one JOIN replaces" in log
    assert "tasks.py:29   select(Order).options(joinedload(Order.customer))  21 -> 1" in log
