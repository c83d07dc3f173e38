"""Settings: what a Profiler can be told, checked by name and type at set-up; from a mapping, ``[tool.dbprofile]``, the environment."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from dbprofile.capture.scope import DETAIL_LIMIT
from dbprofile.capture.stack import set_application_paths
from dbprofile.errors import ConfigurationError
from dbprofile.findings.baseline import Baseline
from dbprofile.findings.silence import IgnoreRule, Silence
from dbprofile.rules import DEFAULT_RULES, OPTIONAL_RULES
from dbprofile.rules.rule import Rule

__all__ = ["CONSOLES", "Settings", "project_root", "project_settings", "switch"]

CONSOLES: Final = ("text", "findings", "json", "off")

#: Short names of thresholds, and the keys they stand for.
_ALIASES: Final[Mapping[str, str]] = {"slow_ms": "slow_query_ms", "query_budget": "query_budget_max"}
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Settings:
    """The options of one Profiler. Thresholds of rules (``slow_query_ms``, ``n_plus_one_min``) are keys too."""

    enabled: bool = True
    debug: bool | None = None
    """Whether a person is watching: decides the console only. ``None``: the framework's own debug flag."""
    console: str = "text"
    """``text``, ``findings`` (quiet when all is well), ``json`` or ``off``."""
    detail_limit: int = DETAIL_LIMIT
    """Statements of a scope kept in full detail; beyond it counters by text. 0 is the mode for production."""
    sample: float = 1.0
    """Share of units of work that are profiled, 0 to 1."""
    include: Sequence[str] = ()
    """Path patterns (``/api/*``) that are profiled; all of them if empty."""
    exclude: Sequence[str] = ()
    """Path patterns that are not."""
    follow_threads: bool = False
    """Whether threads, and what is submitted to a thread pool, belong to the scope that starts or submits them."""
    app_paths: Sequence[str] = ()
    """Folders or files whose code counts as the application's although it is installed in site-packages."""
    show_values: bool = False
    """Keep and show parameter values: for development only."""
    rules_off: Sequence[str] = ()
    """Codes of rules to leave out, ``["DBP111"]``."""
    rules_on: Sequence[str] = ()
    """Codes of rules to ask that are off by themselves, ``["DBP402"]``."""
    ignore: Sequence[Mapping[str, object]] = ()
    """Findings to keep silent about: tables with any of ``code``, ``relation``, ``path``, ``package``, ``route``, ``scope``, ``max``."""
    baseline: str | None = None
    """A file of known findings that may stay, relative to the project; only new and worse ones are told."""
    thresholds: Mapping[str, object] = field(default_factory=dict)
    """The rules' keys that were given, under their full names."""

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Settings:
        """Check a mapping of keys.

        Raises:
            ConfigurationError: names the key, what was meant perhaps, the known keys; or the value and what is allowed.
        """
        values: dict[str, Any] = {}
        thresholds: dict[str, object] = {}
        rule_keys = _rule_keys()
        for key, value in given.items():
            full = _ALIASES.get(key, key)
            if full in rule_keys:
                thresholds[full] = _not_negative(key, _checked(key, value, rule_keys[full]))
            elif full in _OPTIONS:
                values[full] = _checked(key, value, _OPTIONS[full])
            else:
                raise _unknown(key, {*_OPTIONS, *rule_keys, *_ALIASES})
        settings = cls(**values, thresholds=thresholds)
        settings._check()
        return settings

    def _check(self) -> None:
        if self.console not in CONSOLES:
            raise ConfigurationError(
                f"dbprofile: console={self.console!r} is not one of {', '.join(map(repr, CONSOLES))}"
            )
        if not 0 <= self.sample <= 1:
            raise ConfigurationError(f"dbprofile: sample={self.sample!r} is not a share between 0 and 1")
        if self.detail_limit < 0:
            raise ConfigurationError(
                f"dbprofile: detail_limit={self.detail_limit!r} is negative; 0 keeps counters only"
            )
        for number, table in enumerate(self.ignore):
            IgnoreRule.of(table, number)
        known = {_attribute(rule, "code") for rule in (*DEFAULT_RULES, *OPTIONAL_RULES)}
        for key, codes in (("rules_off", self.rules_off), ("rules_on", self.rules_on)):
            for code in codes:
                if code not in known:
                    raise ConfigurationError(f"dbprofile: {key} names {code!r}; rules are {', '.join(sorted(known))}")

    def rules(self) -> tuple[Rule, ...]:
        """The rules with their thresholds of these settings: the default ones, and what is switched on."""
        wanted = {
            _attribute(rule, "code"): rule for rule in OPTIONAL_RULES if _attribute(rule, "code") in self.rules_on
        }
        rules = {
            _attribute(rule, "code"): rule for rule in DEFAULT_RULES
        } | wanted  # which may say more of the same code
        return tuple(self._configured(rule) for code, rule in rules.items() if code not in self.rules_off)

    def _configured(self, rule: Rule) -> Rule:
        prefix = _attribute(rule, "kind") + "_"
        changes = {key.removeprefix(prefix): value for key, value in self.thresholds.items() if key.startswith(prefix)}
        if not changes:
            return rule
        thresholds: Any = rule  # a dataclass: only those have keys
        return cast("Rule", dataclasses.replace(thresholds, **changes))

    def silence(self) -> Silence:
        """What is not told.

        Raises:
            ConfigurationError: if the file of the baseline cannot be read.
        """
        root = project_root()
        known = Baseline.read(os.path.join(root, self.baseline), root) if self.baseline else None
        return Silence([IgnoreRule.of(table, number) for number, table in enumerate(self.ignore)], root, known)

    @property
    def slow_seconds(self) -> float:
        """The threshold of a slow statement."""
        given = self.thresholds.get("slow_query_ms")
        return float(given) / 1000 if isinstance(given, (int, float)) else 0.1

    def apply(self) -> None:
        """Put what concerns the whole process into effect."""
        if self.app_paths:
            set_application_paths(self.app_paths)


def _attribute(rule: Rule, name: str) -> str:
    value = getattr(rule, name, "")
    return value if isinstance(value, str) else ""


# --- checking -------------------------------------------------------------------------------------------------------

_OPTIONS: Final[Mapping[str, str]] = {
    option.name: str(option.type) for option in dataclasses.fields(Settings) if option.name != "thresholds"
}


def _rule_keys() -> dict[str, str]:
    rules: Sequence[Any] = (*DEFAULT_RULES, *OPTIONAL_RULES)
    return {f"{rule.kind}_{option.name}": str(option.type) for rule in rules for option in dataclasses.fields(rule)}


def _not_negative(key: str, value: object) -> object:
    # Asked this way round, so that what is not a number at all (nan) is refused too.
    if isinstance(value, int | float) and not value >= 0:
        raise ConfigurationError(f"dbprofile: {key}={value!r} is no threshold; 0 or more is")
    return value


def _checked(key: str, value: object, kind: str) -> object:
    check, allowed = _CHECKS[kind]
    if not check(value):
        raise ConfigurationError(f"dbprofile: {key}={value!r} is of the wrong type; {key} takes {allowed}")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_budget(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(kind, str) and _is_integer(number) for kind, number in value.items())
    return value is None or _is_integer(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(text, str) for text in value)


def _is_tables(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(table, Mapping) for table in value)


_CHECKS: Final[Mapping[str, tuple[Any, str]]] = {
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "bool | None": (lambda value: value is None or isinstance(value, bool), "True, False or None"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "int": (_is_integer, "a whole number"),
    "float": (_is_number, "a number"),
    "str | None": (lambda value: value is None or isinstance(value, str), "a text"),
    "Sequence[str]": (_is_texts, "a list of texts"),
    "Sequence[Mapping[str, object]]": (_is_tables, "a list of tables"),
    "int | Mapping[str, int] | None": (_is_budget, "a whole number, or a table of them by kind of scope"),
}


def _unknown(key: object, known: Collection[str]) -> ConfigurationError:
    close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return ConfigurationError(f"dbprofile: unknown setting {key!r}.{meant} Known settings: {', '.join(sorted(known))}")


# --- where settings come from ---------------------------------------------------------------------------------------


def project_root(start: str | os.PathLike[str] | None = None) -> str:
    """The nearest folder upwards with ``pyproject.toml``, else with ``manage.py``, else the working directory."""
    here = os.path.realpath(start if start is not None else os.getcwd())
    for name in ("pyproject.toml", "manage.py"):
        folder = here
        while not os.path.isfile(os.path.join(folder, name)) and folder != os.path.dirname(folder):
            folder = os.path.dirname(folder)
        if os.path.isfile(os.path.join(folder, name)):
            return folder
    return here


def project_settings(root: str | os.PathLike[str] | None = None) -> Mapping[str, object]:
    """The table ``[tool.dbprofile]`` of the project; empty without one.

    Raises:
        ConfigurationError: if the file cannot be read, or is no TOML, or the table is none.
    """
    file = os.path.join(root if root is not None else project_root(), "pyproject.toml")
    if not os.path.isfile(file):
        return {}
    try:
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"dbprofile: {file} cannot be read: {error}") from error
    if "dbprofile" not in text:
        return {}
    import tomllib  # noqa: PLC0415 - 9 ms that only a project with the table pays

    try:
        table = tomllib.loads(text).get("tool", {}).get("dbprofile", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"dbprofile: {file} is no valid TOML: {error}") from error
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"dbprofile: tool.dbprofile in {file} is {table!r}, not a table")
    return table


def switch() -> bool | str | None:
    """What the variable ``DBPROFILE`` says: ``True``, ``False``, ``"findings"``; ``None`` if it is unset or empty.

    Raises:
        ConfigurationError: for any other value.
    """
    value = os.environ.get("DBPROFILE", "").strip().lower()
    if not value:
        return None
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    if value == "findings":
        return value
    raise ConfigurationError(f"dbprofile: DBPROFILE={value!r} in the environment is not one of 0, 1, findings")
