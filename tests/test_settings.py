from pathlib import Path

import pytest

from dbprofile import ConfigurationError, Profiler
from dbprofile.rules import IdleTransaction, NPlusOne, QueryBudget, SlowQuery
from dbprofile.settings import Settings, project_root, project_settings, switch


def test_thresholds_reach_their_rules() -> None:
    rules = Profiler(slow_ms=250, n_plus_one_min=5, query_budget={"task": 100}).rules

    assert {SlowQuery(250), NPlusOne(5)} <= {rule for rule in rules if not isinstance(rule, QueryBudget)}
    assert QueryBudget({"task": 100}) in rules


def test_a_rule_can_be_switched_off() -> None:
    assert not any(isinstance(rule, SlowQuery) for rule in Profiler(rules_off=["DBP201"]).rules)


def test_a_rule_that_is_off_by_itself_can_be_switched_on() -> None:
    assert not any(isinstance(rule, IdleTransaction) for rule in Profiler().rules)
    with Profiler(rules_on=["DBP402"], idle_transaction_ms=250) as profiler:
        assert IdleTransaction(250) in [rule for rule in profiler.rules if isinstance(rule, IdleTransaction)]


def test_an_unknown_key_says_what_was_meant_and_what_is_known() -> None:
    with pytest.raises(
        ConfigurationError, match=r"unknown setting 'slow_mss'. Did you mean 'slow_ms'\? Known settings: app_paths"
    ):
        Profiler(slow_mss=1)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("slow_ms", "fast", "slow_ms takes a number"),
        ("slow_ms", True, "slow_ms takes a number"),
        ("n_plus_one_min", 2.5, "n_plus_one_min takes a whole number"),
        ("console", "loud", "'text', 'findings', 'json', 'off'"),
        ("sample", 2, "between 0 and 1"),
        ("slow_ms", -5, "0 or more"),
        ("n_plus_one_min", -1, "0 or more"),
        ("big_result_rows", -1, "0 or more"),
        ("detail_limit", -1, "negative"),
        ("exclude", "/health", "exclude takes a list of texts"),
        ("rules_off", ["DBP999"], "rules are DBP101"),
        ("rules_on", ["DBP999"], "rules are DBP101"),
        ("query_budget", {"request": "ten"}, "a table of them by kind of scope"),
        ("show_values", 1, "show_values takes True or False"),
        ("debug", "yes", "debug takes True, False or None"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(key: str, value: object, allowed: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Settings.of({key: value})

    assert allowed in str(refused.value)
    assert key in str(refused.value)


def test_the_root_is_the_nearest_folder_with_a_project_file(tmp_path: Path) -> None:
    (tmp_path / "manage.py").touch()
    inner = tmp_path / "shop" / "views"
    inner.mkdir(parents=True)
    assert project_root(inner) == str(tmp_path.resolve())
    (tmp_path / "shop" / "pyproject.toml").touch()
    assert project_root(inner) == str((tmp_path / "shop").resolve())


def test_the_table_of_the_project_is_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.dbprofile]\nslow_ms = 20\nrules_off = ["DBP111"]\n')

    assert project_settings(tmp_path) == {"slow_ms": 20, "rules_off": ["DBP111"]}


@pytest.mark.parametrize("content", [b"[tool.dbprofile\n", b"dbprofile = \xff\xfe", b"[tool]\ndbprofile = 3\n"])
def test_a_broken_project_file_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)

    with pytest.raises(ConfigurationError, match=r"pyproject\.toml"):
        project_settings(tmp_path)


@pytest.mark.parametrize(
    ("value", "says"), [("", None), ("0", False), ("1", True), ("off", False), ("findings", "findings")]
)
def test_the_environment_switches(monkeypatch: pytest.MonkeyPatch, value: str, says: object) -> None:
    monkeypatch.setenv("DBPROFILE", value)

    assert switch() == says


def test_an_unknown_word_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBPROFILE", "maybe")

    with pytest.raises(ConfigurationError, match="0, 1, findings"):
        switch()
