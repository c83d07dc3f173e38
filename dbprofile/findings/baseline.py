"""The baseline: known findings that may stay, one JSON object a line. Only new or worse ones are told."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from dbprofile.errors import ConfigurationError

if TYPE_CHECKING:
    from dbprofile.capture.callsite import CallSite
    from dbprofile.findings.finding import Finding

__all__ = ["FILE", "Baseline", "Key", "Known"]

FILE: Final = "dbprofile-baseline.jsonl"
_HEADER: Final = {"dbprofile": 1, "kind": "baseline"}
_UNKNOWN: Final = "?"


class Key(NamedTuple):
    """What makes it the same finding next time: no line number, no value, no name of a test."""

    code: str
    subject: str
    origin: str
    trigger: str


@dataclass(frozen=True)
class Known:
    """One finding that may stay."""

    key: Key
    worst: int
    """The highest count in one unit of work."""
    reason: str = ""


class Baseline:
    """The findings of a file, and those that a run has seen.

    Args:
        known: what may stay.
        root: folder of the project, which paths are relative to.
    """

    def __init__(self, known: Iterable[Known] = (), root: str = "") -> None:
        self._known = {entry.key: entry for entry in known}
        self._root = root
        self._seen: dict[Key, int] = {}

    @classmethod
    def read(cls, path: str | os.PathLike[str], root: str = "") -> Baseline:
        """Read a file; one that is not there holds nothing.

        Raises:
            ConfigurationError: for a file that cannot be read or is no baseline; names the line.
        """
        file = os.fspath(path)
        if not os.path.exists(file):
            return cls(root=root)
        try:
            with open(file, encoding="utf-8") as opened:
                lines = opened.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"dbprofile: {file} cannot be read: {error}") from error
        entries = [_parsed(line, f"{file}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
        if not entries or entries[0].get("kind") != "baseline":
            raise ConfigurationError(f"dbprofile: {file} is no baseline; its first line is {json.dumps(_HEADER)}")
        return cls((_known(entry, f"{file}:{number}") for number, entry in enumerate(entries[1:], 2)), root)

    def key(self, finding: Finding) -> Key:
        """What a finding is known by."""
        return Key(finding.code, finding.subject, self._place(finding.origin), self._place(finding.trigger))

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is known, and not worse than it was; it is noted as seen."""
        key = self.key(finding)
        self._seen[key] = max(self._seen.get(key, 0), finding.count)
        known = self._known.get(key)
        return known is not None and finding.count <= known.worst

    def is_worse(self, finding: Finding) -> bool:
        """Whether a finding is known, but was less when it was accepted."""
        known = self._known.get(self.key(finding))
        return known is not None and finding.count > known.worst

    def reason_of(self, finding: Finding) -> str:
        """Why a known finding may stay."""
        known = self._known.get(self.key(finding))
        return known.reason if known is not None else ""

    def stale(self) -> list[Key]:
        """What is known and was not seen: only of use after a complete run."""
        return sorted(key for key in self._known if key not in self._seen)

    def accepted(self) -> Baseline:
        """A baseline with all that was seen in it: what is new is added, what is worse may be so from now on."""
        known = dict(self._known)
        for key, count in self._seen.items():
            before = known.get(key)
            known[key] = Known(key, max(count, before.worst if before else 0), before.reason if before else "")
        return Baseline(known.values(), self._root)

    def shrunk(self) -> Baseline:
        """A baseline without what was not seen, and with lower counts where they were lower; nothing is added."""
        kept = [entry for key, entry in self._known.items() if key in self._seen]
        return Baseline(
            (Known(each.key, min(each.worst, self._seen[each.key]), each.reason) for each in kept), self._root
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file, sorted: a change of the code changes few lines of it. Replaces it at once, never half.

        Raises:
            OSError: if it cannot be written.
        """
        lines = [json.dumps(_HEADER)]
        lines += sorted(
            json.dumps({**entry.key._asdict(), "worst": entry.worst, "reason": entry.reason}, ensure_ascii=False)
            for entry in self._known.values()
        )
        new = f"{os.fspath(path)}.{os.getpid()}.new"
        with open(new, "w", encoding="utf-8") as opened:
            opened.write("\n".join(lines) + "\n")
        os.replace(new, path)

    def __len__(self) -> int:
        return len(self._known)

    def _place(self, site: CallSite | None) -> str:
        if site is None:
            return _UNKNOWN
        path = site.file.replace("\\", "/").removeprefix(self._root.replace("\\", "/").rstrip("/") + "/")
        return f"{path}:{site.tag or _function(site.function) or _UNKNOWN}"


def _function(name: str) -> str:
    """The function's qualified name as all versions of Python give it: lambdas and comprehensions by the function round them."""
    return ".".join(part for part in name.split(".") if not part.startswith("<"))


def _parsed(line: str, place: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ConfigurationError(f"dbprofile: {place} is no JSON: {error}") from error
    if not isinstance(entry, dict):
        raise ConfigurationError(f"dbprofile: {place} is no object")
    return entry


def _known(entry: dict[str, Any], place: str) -> Known:
    texts = [entry.get(name) for name in Key._fields]
    worst, reason = entry.get("worst"), entry.get("reason", "")
    if not all(isinstance(text, str) for text in texts) or not isinstance(worst, int) or not isinstance(reason, str):
        raise ConfigurationError(f"dbprofile: {place} lacks one of {', '.join(Key._fields)}, worst")
    return Known(Key(*map(str, texts)), worst, reason)
