"""Report: a profile with its findings. Frozen, without any rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dbprofile.capture.profile import Profile
from dbprofile.findings.finding import Finding, Severity
from dbprofile.findings.silence import Silenced

__all__ = ["Report"]


@dataclass(frozen=True, eq=False)
class Report:
    """What one unit of work did and what is wrong with it."""

    profile: Profile
    findings: Sequence[Finding] = ()
    """Worst first."""
    silenced: Sequence[Silenced] = ()
    """Findings that are kept out of output and gates, each with what silences it."""

    @property
    def worst(self) -> Severity | None:
        """The greatest severity; ``None`` without findings."""
        return max((finding.severity for finding in self.findings), default=None)
