"""Wording: what is said of a finding in every format: its word, what it costs, how often it happened, the lines worth naming."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.profile import Profile
from dbprofile.findings.finding import Finding
from dbprofile.findings.numbers import duration, times

__all__ = ["costs_of", "effect_of", "how_often", "named", "shown_callers", "word_of"]

#: Words of single codes, and of families by their first digit.
_WORDS: Final = {
    "DBP101": "N+1", "DBP102": "LOOP", "DBP121": "LOOP", "DBP111": "DUP", "DBP112": "DUP", "DBP131": "OVER",
    "2": "SLOW", "3": "SHAPE", "4": "TX", "5": "ASYNC",
}  # fmt: skip


def word_of(finding: Finding) -> str:
    """What is wrong in one word: ``N+1``; the code where its family has none."""
    return _WORDS.get(finding.code) or _WORDS.get(finding.code[3:4]) or finding.code


def costs_of(finding: Finding) -> Iterator[str]:
    """What it costs, from the fullest to the shortest way to say so."""
    if word_of(finding) == "SLOW":
        if finding.threshold is not None:
            yield f"over {duration(finding.threshold)}"
        return
    took = duration(finding.seconds)
    fix = finding.fix
    if fix is not None and fix.kind != "advice" and finding.avoidable_seconds > 0:
        yield f"{took}, about {_without_unit_of(took, duration(finding.avoidable_seconds))} avoidable"
    yield took


def _without_unit_of(first: str, second: str) -> str:
    unit = first.partition(" ")[2]
    return second.removesuffix(f" {unit}")


def how_often(finding: Finding) -> str:
    """``50x, 12 different ids``: of one loop the executions, and how many of them asked something new; nothing of others."""
    if word_of(finding) not in {"N+1", "LOOP"}:
        return ""
    members = [query for query in finding.queries if query.statement == finding.statement]
    digests = [query.parameters for query in members]
    known = {digest.hash for digest in digests if digest is not None}
    if not known or None in digests:
        return times(len(members))
    single = all(digest is not None and digest.count == 1 for digest in digests)
    return f"{times(len(members))}, {len(known):,} different {'ids' if single else 'parameters'}"


def effect_of(finding: Finding, profile: Profile) -> str:
    """``54 -> 4``: the queries of the profile before and after the fix; nothing where that was not seen."""
    fix = finding.fix
    if fix is None or not fix.certain or fix.kind == "advice":
        return ""
    before = profile.query_count
    return f"{before:,} -> {before - (fix.replaces or len(finding.queries)) + fix.leaves:,}"


def shown_callers(finding: Finding) -> list[CallSite]:
    """The nearest caller, and from a template also the code that rendered it.

    Not what is shown anyway: the origin, which has a line of its own; the line of the trigger, where a comprehension is a function
    of its own; the tags round it in the same template, of which the loop is plain to see.
    """
    shown_anyway = {(site.file, site.line) for site in (finding.origin, finding.trigger) if site is not None}
    template = finding.trigger.file if finding.trigger is not None and finding.trigger.template else None
    callers = [site for site in finding.callers if (site.file, site.line) not in shown_anyway and site.file != template]
    shown = callers[:1]
    if shown and shown[0].template is not None:
        shown.extend([site for site in callers if site.template is None][:1])
    return shown


def named(site: CallSite) -> str:
    """The field of a serializer, else the innermost function with a name, which lambdas have not; none at the top of a module."""
    names = [name for name in site.function.split(".<locals>.") if not name.startswith("<")]
    return site.field or (names[-1] if names else "")
