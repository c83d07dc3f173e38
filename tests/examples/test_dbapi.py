import shutil
import subprocess
import sys
from pathlib import Path

from tests.tree import REPOSITORY


def test_a_script_on_a_raw_driver_is_told_of_its_loop(tmp_path: Path) -> None:
    script = shutil.copy(REPOSITORY / "examples/dbapi/prices.py", tmp_path)
    command = [sys.executable, "-W", "error", script]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "dbprofile one by one | 20 queries" in ran.stdout
    assert "LOOP  20 queries in a loop" in ran.stdout
    assert "prices.py:16" in ran.stdout
    assert "dbprofile at once | 1 query" in ran.stdout
