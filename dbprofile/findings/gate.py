"""Gate: which findings make a run fail, as a person names them: codes, families of codes, or a severity."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from dbprofile.errors import ConfigurationError
from dbprofile.findings.finding import Finding, Severity

__all__ = ["Gate"]

_FAMILY: Final = re.compile(r"DBP\dXX")
_SEVERITIES: Final = {str(severity): severity for severity in Severity}


@dataclass(frozen=True)
class Gate:
    """What does not pass."""

    wanted: str = ""
    """As it was written: ``DBP101,DBP2xx``."""
    codes: frozenset[str] = frozenset()
    """Codes, and families of them without their last two digits."""
    severity: Severity | None = None
    """From this one on, whatever the code."""

    @classmethod
    def of(cls, wanted: str, known: Collection[str]) -> Gate:
        """Read codes (``DBP101``), families (``DBP2xx``) and a severity (``warning``), with commas between.

        Args:
            wanted: the text.
            known: the codes that there are.

        Raises:
            ConfigurationError: for a word that is none of these, with those that are.
        """
        codes: set[str] = set()
        severities: list[Severity] = []
        for word in filter(None, map(str.strip, wanted.split(","))):
            if word.lower() in _SEVERITIES:
                severities.append(_SEVERITIES[word.lower()])
                continue
            code = word.upper()
            family = _FAMILY.fullmatch(code) is not None
            code = code[:4] if family else code
            if code not in ({one[:4] for one in known} if family else known):
                raise ConfigurationError(
                    f"dbprofile: {word!r} is no code of a finding; there are {', '.join(sorted(known))},"
                    f" families as DBP1xx, and {', '.join(_SEVERITIES)}"
                )
            codes.add(code)
        return cls(wanted, frozenset(codes), min(severities, default=None))

    def stopped(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings that do not pass."""
        return [finding for finding in findings if self._stops(finding)]

    def _stops(self, finding: Finding) -> bool:
        if self.severity is not None and finding.severity >= self.severity:
            return True
        return finding.code in self.codes or finding.code[:4] in self.codes
