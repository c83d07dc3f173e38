import re
import subprocess
import sys
from pathlib import Path

import pytest

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
