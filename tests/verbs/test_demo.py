import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dbprofile.cli import main

CaptureFixture = pytest.CaptureFixture[str]

CURES = {
    "django": 'shop/views.py:25   Order.objects.filter(open=True).select_related("customer")  54 -> 4',
    "flask": "select(Order).where(Order.open).options(joinedload(Order.customer))  54 -> 4",
    "fastapi": "select(Order).where(Order.open).options(joinedload(Order.customer))  54 -> 4",
}


def demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "dbprofile", "demo", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("framework", ["django", "flask", "fastapi"])
def test_the_shop_is_shown_sick_and_cured(framework: str, tmp_path: Path) -> None:
    done = demo("--with", framework, folder=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout
    assert re.search(r"^dbprofile GET / 200 \| 3 queries \| db .* \| 12 rows +#\d+$", text, re.MULTILINE)
    assert re.search(
        r"^dbprofile GET /orders/ 200 \| 54 queries \|.* \| 103 rows \| 2 findings +#\d+$", text, re.MULTILINE
    )
    assert re.search(r"^  N\+1   50 queries that one JOIN replaces .*DBP101$", text, re.MULTILINE)
    assert "50x, 50 different ids" in text
    assert CURES[framework] in text
    assert re.search(r"^  SLOW  \d.* over 100 ms  DBP201$", text, re.MULTILINE)
    assert text.rstrip().endswith("GET /orders/ -> GET /orders/cured/: 54 -> 4 queries")
    assert list(tmp_path.iterdir()) == []


def test_a_framework_that_is_unknown_is_refused(tmp_path: Path) -> None:
    done = demo("--with", "rails", folder=tmp_path)

    assert done.returncode == 2
    assert "invalid choice: 'rails'" in done.stderr


def test_what_the_framework_asked_for_lacks_is_said(monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "greenlet" else find_spec(name))

    assert main(["demo", "--with", "fastapi"]) == 2
    assert capsys.readouterr().err == "dbprofile: the demo with fastapi needs greenlet; pip install greenlet\n"


def test_serving_may_need_a_server(monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find_spec(name))

    assert main(["demo", "--with", "fastapi", "--port", "8000"]) == 2
    assert capsys.readouterr().err == "dbprofile: the demo with fastapi needs uvicorn; pip install uvicorn\n"


def test_without_any_framework_the_shortest_ways_to_one_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert main(["demo"]) == 2
    assert "pip install django, or pip install flask sqlalchemy" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "65536", "-1", "abc"])
def test_a_port_that_is_none_is_refused(port: str, capsys: CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", f"--port={port}"])
    assert stopped.value.code == 2
    assert f"'{port}' is no port; a number from 1 to 65535 is" in capsys.readouterr().err
