import shutil
import subprocess
import sys
from pathlib import Path

from tests.tree import REPOSITORY


def test_a_shop_without_a_framework_is_told_of_its_loop(tmp_path: Path) -> None:
    folder = shutil.copytree(REPOSITORY / "examples/wsgi", tmp_path / "shop")
    (tmp_path / "pyproject.toml").touch()
    ran = subprocess.run(
        [sys.executable, "visit.py"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )

    assert (ran.returncode, ran.stdout) == (0, "")
    lines = ran.stderr.splitlines()
    assert lines[0].startswith("dbprofile GET /orders/ 200 | 21 queries")
    assert lines[2].startswith("  LOOP  20 queries in a loop")
    assert lines[-1].startswith("dbprofile GET /orders/cured/ 200 | 1 query")
