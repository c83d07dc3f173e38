"""Every Python block of the READMEs and of ``docs/`` runs as it is printed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import REPOSITORY

DOCUMENTS = [
    REPOSITORY / "README.md",
    *REPOSITORY.glob("integrations/README.md"),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]


def _run(document: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    # The working folder comes first, the repository last: a document's own modules are found before the examples.
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH"), str(REPOSITORY)]))
    command = [sys.executable, "-W", "error", "-m", "tests.docs.document", str(document)]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_code_block_runs(document: Path, tmp_path: Path) -> None:
    result = _run(document, tmp_path)
    assert result.returncode == 0, result.stdout


def _write(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_block_that_fails_is_named_by_its_line(tmp_path: Path) -> None:
    result = _run(_write(tmp_path, "# Page\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n"), tmp_path)
    assert result.returncode != 0
    assert "page.md:7" in result.stdout


def test_titled_blocks_add_up_to_a_file_that_later_blocks_import(tmp_path: Path) -> None:
    page = """
<!--- invisible-code-block: python
from pathlib import Path
Path("settings.py").write_text("APPS = []\\n")
-->

=== "Settings"

    ```python title="settings.py" hl_lines="1"
    APPS += ["shop"]
    ```

```python
import settings

assert settings.APPS == ["shop"]
```
"""
    result = _run(_write(tmp_path, page), tmp_path)
    assert result.returncode == 0, result.stdout


def test_a_titled_block_that_nobody_imports_is_run_all_the_same(tmp_path: Path) -> None:
    result = _run(_write(tmp_path, '```python title="lost.py"\nraise SystemExit("it ran")\n```\n'), tmp_path)
    assert result.returncode != 0
    assert "it ran" in result.stdout


def test_a_titled_test_file_is_run_by_pytest(tmp_path: Path) -> None:
    page = '```python title="tests/test_shop.py"\ndef test_sum() -> None:\n    assert 1 + 1 == 3\n```\n'
    result = _run(_write(tmp_path, page), tmp_path)
    assert result.returncode != 0
    assert "assert (1 + 1) == 3" in result.stdout


def test_a_block_with_attributes_but_without_a_title_is_executed(tmp_path: Path) -> None:
    result = _run(_write(tmp_path, '```python hl_lines="1"\nraise SystemExit("it ran")\n```\n'), tmp_path)
    assert "it ran" in result.stdout
