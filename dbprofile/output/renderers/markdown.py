"""Markdown: a report for a pull request, a job's summary, a chat; each finding begins with the place that an editor can go to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.profile import Profile
from dbprofile.findings.finding import Finding, Fix
from dbprofile.findings.numbers import quantity
from dbprofile.findings.report import Report
from dbprofile.output.headlines import headline
from dbprofile.output.source import Root, shown_path, source_text
from dbprofile.output.terminal import LOG, elide_end, elide_middle, escaped
from dbprofile.output.wording import costs_of, effect_of, how_often, named, shown_callers, word_of

__all__ = ["render"]

#: Characters of a statement.
_LONGEST_SQL: Final = 2_000
#: Characters of a line of source.
_LONGEST_SOURCE: Final = 120
#: What begins or ends something where Markdown and HTML are read.
_MARKS: Final = re.compile(r"[\\`*_\[\]<>#~&$]")


def render(reports: Iterable[Report], *, root: Root | None = None) -> str:
    """The reports one below the other, without a line break at the end.

    Args:
        reports: in the order in which they are shown.
        root: the folder that paths are shown relative to; the working directory if ``None``.
    """
    return "\n\n".join("\n".join(_report(report, root)) for report in reports)


def _report(report: Report, root: Root | None) -> Iterator[str]:
    line, number = headline(report, LOG).removeprefix("dbprofile "), report.profile.number
    if number:  # as code: GitHub would make a link to an issue of it
        line = line.removesuffix(f"#{number}")
    yield f"### {_plain(line)}" + (f" {_code(f'#{number}')}" if number else "")
    for finding in report.findings:
        yield ""
        yield from _finding(finding, report.profile, root)
    if report.silenced:
        yield ""
        yield f"{quantity(len(report.silenced), 'finding')} silenced."


def _finding(finding: Finding, profile: Profile, root: Root | None) -> Iterator[str]:
    site = finding.trigger
    place = f"{_code(_path(site, root))} " if site is not None else ""
    cost = next(costs_of(finding), "")
    known = ", ".join(part for part in (finding.code, str(finding.severity), cost) if part)
    yield f"{place}**{_plain(word_of(finding))}**: {_plain(finding.message)} ({_plain(known)})"
    yield ""
    if site is not None:
        yield f"- {_line(site, root)}"
    for caller in shown_callers(finding):
        yield f"- {_line(caller, root)}"
    if finding.origin is not None:
        rows = f", {quantity(finding.origin_rows, 'row')}" if finding.origin_rows is not None else ""
        yield f"- rows came from {_line(finding.origin, root)}{rows}"
    if often := how_often(finding):
        yield f"- {often}"
    if finding.statement is not None:
        yield ""
        yield from _fenced("sql", elide_middle(finding.statement.text, _LONGEST_SQL, " … "))
    if finding.fix is not None:
        yield ""
        yield from _fix(finding.fix, effect_of(finding, profile), root)


def _fix(fix: Fix, effect: str, root: Root | None) -> Iterator[str]:
    head = "Fix" if fix.certain else "Try"
    if fix.place is not None:
        head += f" at {_code(_path(fix.place, root))}"
    if effect:
        head += f", queries {effect}"
    if fix.kind == "advice":  # a sentence
        yield f"{head}: {_plain(fix.text)}"
        return
    yield f"{head}:"
    yield ""
    yield from _fenced("python", fix.text)


def _line(site: CallSite, root: Root | None) -> str:
    name, source = named(site), source_text(site)
    text = _code(_path(site, root))
    if name:
        text += f" in {_code(name)}"
    return f"{text}: {_code(elide_end(source, _LONGEST_SOURCE, '…'))}" if source else text


def _path(site: CallSite, root: Root | None) -> str:
    return f"{shown_path(site.file, root)}:{site.line}" if site.line else site.file


# --- text that says nothing to Markdown -------------------------------------------------------------------------------


def _plain(text: str) -> str:
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", " ".join(escaped(text).split()))


def _code(text: str) -> str:
    """A span of code; fenced by more backticks than it holds."""
    text = escaped(text)
    fence = "`" * (_longest_run(text) + 1)
    room = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{room}{text}{room}{fence}"


def _fenced(language: str, text: str) -> Iterator[str]:
    text = escaped(text)
    fence = "`" * max(_longest_run(text) + 1, 3)
    yield f"{fence}{language}"
    yield text
    yield fence


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
