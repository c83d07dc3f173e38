"""Silence: which findings are kept out of lines, blocks and gates, and by what: rules in settings, comments, blocks, the baseline."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dbprofile.capture.ignoring import Ignored
from dbprofile.capture.source import source_of
from dbprofile.errors import ConfigurationError
from dbprofile.findings.comments import Comment, comment_for, comments_in

if TYPE_CHECKING:
    from dbprofile.capture.callsite import CallSite
    from dbprofile.capture.profile import Profile
    from dbprofile.findings.baseline import Baseline
    from dbprofile.findings.finding import Finding

__all__ = ["IgnoreRule", "Silence", "Silenced"]


@dataclass(frozen=True, eq=False)
class Silenced:
    """A finding that is not told, and what silences it."""

    finding: Finding
    by: str
    """Where the entry is: ``settings ignore[0]``, ``shop/views.py:14``, ``ignore()``, ``baseline``."""
    reason: str = ""


@dataclass(frozen=True)
class IgnoreRule:
    """One table of the setting ``ignore``. A finding is silenced where all keys that are given match."""

    code: str | None = None
    relation: str | None = None
    """``Order.customer``; may hold ``*`` and ``?``."""
    path: str | None = None
    """A pattern for the file of the origin or of the trigger, relative to the project: ``shop/legacy/*``."""
    package: str | None = None
    """Name of a package that any line of the finding lies in."""
    route: str | None = None
    """A pattern for the request's route."""
    scope: str | None = None
    """Kind of the unit of work: ``request``, ``task`` …"""
    max: int | None = None
    """How many queries are allowed: beyond it the finding is told."""
    reason: str = ""

    @classmethod
    def of(cls, table: Mapping[str, Any], number: int) -> IgnoreRule:
        """Check one table of the settings.

        Raises:
            ConfigurationError: for an unknown key, a value of the wrong type, or a table that would silence everything.
        """
        known = {field.name: str(field.type) for field in fields(cls)}
        for key, value in table.items():
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                meant = f" Did you mean {close[0]!r}?" if close else ""
                raise ConfigurationError(
                    f"dbprofile: ignore[{number}] has an unknown key {key!r}.{meant} Known keys: {', '.join(known)}"
                )
            wanted = int if key == "max" else str
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise ConfigurationError(
                    f"dbprofile: ignore[{number}].{key}={value!r} is of the wrong type; it takes {wanted.__name__}"
                )
        if not table.keys() - {"reason", "max"}:
            raise ConfigurationError(f"dbprofile: ignore[{number}] would silence everything; name a code or a relation")
        return cls(**table)

    def matches(self, finding: Finding, profile: Profile, root: str) -> bool:
        """Whether it silences a finding of a profile."""
        sites = [site for site in (finding.origin, finding.trigger, *finding.callers) if site is not None]
        route = profile.labels.get("http.route") or profile.name
        return (
            (self.code is None or self.code == finding.code)
            and (self.relation is None or fnmatchcase(finding.relation or "", self.relation))
            and (self.scope is None or self.scope == profile.kind)
            and (self.route is None or fnmatchcase(str(route), self.route))
            and (self.max is None or len(finding.queries) <= self.max)
            and (self.path is None or any(fnmatchcase(shown(site.file, root), self.path) for site in _ends(finding)))
            and (self.package is None or any(f"/{self.package}/" in site.file.replace("\\", "/") for site in sites))
        )


def shown(file: str, root: str) -> str:
    """A path as people write it: relative to the project, with ``/``."""
    path = file.replace("\\", "/")
    folder = root.replace("\\", "/").rstrip("/") + "/"
    return path.removeprefix(folder)


def _ends(finding: Finding) -> list[CallSite]:
    return [site for site in (finding.origin, finding.trigger) if site is not None]


class Silence:
    """All that silences for one Profiler, and what of it has silenced nothing yet.

    Args:
        rules: of the settings.
        root: folder of the project.
        baseline: known findings that may stay.
    """

    def __init__(self, rules: Sequence[IgnoreRule] = (), root: str = "", baseline: Baseline | None = None) -> None:
        self.baseline = baseline
        self._rules = rules
        self._root = root
        self._used: set[int] = set()
        self._comments_used: set[tuple[str, int]] = set()
        self._files: set[str] = set()

    def with_baseline(self, baseline: Baseline) -> Silence:
        """The same with another baseline, or with one at all."""
        return Silence(self._rules, self._root, baseline)

    def split(self, findings: Iterable[Finding], profile: Profile) -> tuple[tuple[Finding, ...], tuple[Silenced, ...]]:
        """The findings that are told, and those that are silenced."""
        told, silenced = [], []
        for finding in findings:
            by = self._by(finding, profile)
            if by is None:
                told.append(finding)
            else:
                silenced.append(by)
        return tuple(told), tuple(silenced)

    def _by(self, finding: Finding, profile: Profile) -> Silenced | None:
        entry = _ignored_by_all(finding)
        if entry is not None:
            return Silenced(finding, "ignore()", entry.reason)
        for site in _ends(finding):
            self._files.add(site.file)
            comment = comment_for(site, finding.code)
            if comment is not None:
                self._comments_used.add((comment.file, comment.line))
                return Silenced(finding, f"{shown(comment.file, self._root)}:{comment.line}", comment.reason)
        for number, rule in enumerate(self._rules):
            if rule.matches(finding, profile, self._root):
                self._used.add(number)
                return Silenced(finding, f"settings ignore[{number}]", rule.reason)
        if self.baseline is not None and self.baseline.covers(finding):
            return Silenced(finding, "baseline", self.baseline.reason_of(finding))
        return None

    def stale(self) -> list[str]:
        """What has silenced nothing, one line each: rules, comments in files that findings were in, comments without a code."""
        lines = [
            f"settings ignore[{number}] matched nothing"
            for number in range(len(self._rules))
            if number not in self._used
        ]
        for file in sorted(self._files):
            source = source_of(file)
            for comment in comments_in(source).values() if source is not None else ():
                lines += self._stale(comment)
        return lines

    def _stale(self, comment: Comment) -> list[str]:
        place = f"{shown(comment.file, self._root)}:{comment.line}"
        if not comment.codes:
            return [f"{place} names no code and silences nothing: write ignore[DBP101]"]
        return [] if (comment.file, comment.line) in self._comments_used else [f"{place} matched nothing"]


def _ignored_by_all(finding: Finding) -> Ignored | None:
    """The entry that all queries of a finding carry for its code."""
    found: Ignored | None = None
    for query in finding.queries:
        found = _entry(query.ignored, finding)
        if found is None:
            return None
    return found


def _entry(carried: object, finding: Finding) -> Ignored | None:
    while isinstance(carried, Ignored):
        relation = carried.relation is None or fnmatchcase(finding.relation or "", carried.relation)
        if finding.code in carried.codes and relation:
            return carried
        carried = carried.outer
    return None
