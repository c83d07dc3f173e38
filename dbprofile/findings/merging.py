"""Findings that are the same one, met again in another unit of work or another run."""

from __future__ import annotations

from collections.abc import Iterable

from dbprofile.findings.finding import Finding

__all__ = ["worst_of_each"]


def worst_of_each(findings: Iterable[Finding]) -> list[Finding]:
    """Of findings with one identity the worst: the most severe, then the one that cost most time; worst findings first."""
    worst: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        known = worst.get(finding.identity)
        if known is None or _badness(finding) > _badness(known):
            worst[finding.identity] = finding
    return sorted(worst.values(), key=_badness, reverse=True)


def _badness(finding: Finding) -> tuple[float, ...]:
    return (finding.severity, finding.avoidable_seconds, finding.seconds, finding.count)
