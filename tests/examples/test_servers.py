"""The one command that serves each shop, as its README has it; the port apart."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tree import REPOSITORY

#: Seconds after which a server is given up.
PATIENCE = 60

COMMANDS = {
    "django": (("manage.py", "runserver", "--noreload", "{port}"), "Quit the server with"),
    "flask": (("serve.py", "{port}"), "Running on http://"),
    "fastapi": (("-m", "uvicorn", "shop.app:app", "--port", "{port}"), "Uvicorn running on"),
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(example: str, folder: Path, port: int) -> Iterator[Iterator[str]]:
    """The lines that the server prints, once it is ready for requests."""
    copy = shutil.copytree(
        REPOSITORY / "examples" / example,
        folder / "shop",
        ignore=shutil.ignore_patterns(".*", "__pycache__", "*.sqlite3*"),
    )
    (folder / "pyproject.toml").touch()
    arguments, ready = COMMANDS[example]
    server = subprocess.Popen(
        [sys.executable, "-u", *(argument.format(port=port) for argument in arguments)],
        cwd=copy,
        env={**os.environ, "DBPROFILE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    patience = threading.Timer(PATIENCE, server.kill)
    patience.start()
    try:
        assert server.stdout is not None
        lines = iter(server.stdout)
        before = []
        for line in lines:
            before.append(line)
            if ready in line:
                break
        else:
            pytest.fail("".join(before))
        yield lines
    finally:
        patience.cancel()
        server.kill()
        server.communicate()


@pytest.mark.parametrize("example", COMMANDS)
def test_a_shop_is_served_by_one_command(example: str, tmp_path: Path) -> None:
    port = free_port()
    with served(example, tmp_path, port) as lines:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/orders/", timeout=PATIENCE) as response:
            assert response.status == 200
            response.read()
        told = next(line for line in lines if line.startswith("dbprofile "))
        assert told.startswith("dbprofile GET /orders/ 200 | 54 queries | ")
        assert any("DBP101" in line for line in lines)
