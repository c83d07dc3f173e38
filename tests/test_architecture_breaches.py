"""The architecture tests, held against a tree that breaks every rule and one that breaks none."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tree import REPOSITORY

PROJECT = """
[project]
name = "sample"
dependencies = ["wrapt>=1"]
optional-dependencies = { flask = ["flask>=3"] }

[tool.pytest.ini_options]
pythonpath = ["."]
addopts = ["--import-mode=importlib", "-p", "no:cacheprovider"]
"""

SOUND = {
    "pyproject.toml": PROJECT,
    "tests/__init__.py": "",
    "tests/integrations/test_flask.py": "",
    "tests/rules/test_n_plus_one.py": "",
    "docs/flask.md": "",
    "docs/rules/n_plus_one.md": "",
    "examples/shop.py": "import dbprofile_flask",
    "dbprofile/py.typed": "",
    "dbprofile/__init__.py": '"""Core. PYTEST_DONT_REWRITE"""\nfrom dbprofile.profiler import Profiler\n',
    "dbprofile/errors.py": '"""Errors."""\n',
    "dbprofile/guard.py": '"""Guard."""\ntry:\n    pass\nexcept Exception:\n    pass\n',
    "dbprofile/sql/__init__.py": '"""SQL."""\n',
    "dbprofile/sql/tokens.py": '"""Tokens."""\nimport re\n',
    "dbprofile/sql/statement.py": '"""Statement."""\nfrom dbprofile.sql import tokens\n',
    "dbprofile/rules/__init__.py": '"""Rules."""\n',
    "dbprofile/rules/n_plus_one.py": '"""DBP101."""\nfrom dbprofile.sql.statement import tokens\n',
    "dbprofile/profiler.py": '"""Profiler."""\n\n\ndef load() -> None:\n    import json  # takes 5 ms\n',
    "dbprofile/hooks.py": '"""Hooks."""\n',
    "dbprofile/streaming.py": '"""Streaming."""\n',
    "integrations/dbprofile_flask/py.typed": "",
    "integrations/dbprofile_flask/__init__.py": '"""Flask. PYTEST_DONT_REWRITE"""\n',
    "integrations/dbprofile_flask/scopes.py": '"""Scopes."""\nimport flask\nimport dbprofile.streaming\nfrom dbprofile import Profiler\n',
}
"""A tree in which all rules hold."""

BREACHES = {
    "test_every_room_of_the_core_is_known": {"dbprofile/attic.py": '"""Attic."""'},
    "test_a_room_imports_only_the_rooms_open_to_it": {
        "dbprofile/sql/tokens.py": '"""T."""\nfrom dbprofile import errors'
    },
    "test_a_room_keeps_away_from_what_it_must_never_see": {
        "dbprofile/rules/n_plus_one.py": '"""DBP101."""\nimport time'
    },
    "test_the_core_needs_the_standard_library_alone": {"dbprofile/hooks.py": '"""H."""\nimport flask.globals'},
    "test_no_imports_run_in_a_circle": {"dbprofile/sql/tokens.py": '"""T."""\nfrom dbprofile.sql.statement import S'},
    "test_a_module_imports_only_what_stands_over_it": {
        "dbprofile/sql/tokens.py": '"""T."""\nimport dbprofile.sql.shape',
        "dbprofile/sql/shape.py": '"""S."""',
    },
    "test_an_adapter_sees_the_core_only_through_its_doors": {
        "integrations/dbprofile_flask/queries.py": '"""Q."""\nfrom dbprofile.sql.statement import S'
    },
    "test_no_adapter_needs_another": {
        "integrations/dbprofile_flask/queries.py": '"""Q."""\nimport dbprofile_wsgi.scopes'
    },
    "test_an_adapter_imports_the_libraries_that_its_extra_declares": {
        "integrations/dbprofile_flask/queries.py": '"""Q."""\nimport django.db'
    },
    "test_imports_stand_at_the_top_unless_a_comment_says_why": {
        "dbprofile/hooks.py": '"""H."""\n\n\ndef f():\n    import json  # noqa: PLC0415'
    },
    "test_imports_are_absolute": {"dbprofile/hooks.py": '"""H."""\nfrom . import errors'},
    "test_only_the_guard_catches_everything": {
        "dbprofile/hooks.py": '"""H."""\ntry:\n    pass\nexcept (OSError, Exception):\n    pass'
    },
    "test_every_module_says_what_it_holds": {"dbprofile/hooks.py": ""},
    "test_names_that_say_nothing_are_refused": {"dbprofile/sql/utils.py": '"""U."""'},
    "test_no_function_is_named_like_a_module": {"dbprofile/hooks.py": '"""H."""\n\n\ndef tokens(): ...'},
    "test_a_shipped_package_is_typed_and_not_rewritten_by_pytest": {"dbprofile/__init__.py": '"""Core."""'},
    "test_an_adapter_has_its_shelf": {"examples/shop.py": ""},
    "test_a_rule_has_its_test_and_its_page": {"dbprofile/rules/slow_query.py": '"""DBP201."""'},
    "test_nothing_shipped_imports_the_tests": {"dbprofile/hooks.py": '"""H."""\nfrom tests import services'},
}
"""For each test, what to write into the sound tree so that it fails."""


def _failed(folder: Path, changes: dict[str, str]) -> set[str]:
    for name, text in {**SOUND, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in ("tree.py", "test_architecture.py"):
        shutil.copy(REPOSITORY / "tests" / name, folder / "tests")
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "tests/test_architecture.py"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # a third of the time
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode in {0, 1}, result.stdout + result.stderr
    return set(re.findall(r"^FAILED .*?::(\w+)", result.stdout, re.MULTILINE))


def test_a_sound_tree_passes(tmp_path: Path) -> None:
    assert _failed(tmp_path, {}) == set()


@pytest.mark.parametrize("test", BREACHES)
def test_each_rule_sees_its_breach(test: str, tmp_path: Path) -> None:
    assert test in _failed(tmp_path, BREACHES[test])


def test_every_rule_has_a_breach() -> None:
    source = (REPOSITORY / "tests" / "test_architecture.py").read_text(encoding="utf-8")
    assert set(re.findall(r"^def (test_\w+)", source, re.MULTILINE)) == {*BREACHES, "test_the_tree_has_a_core"}
