"""What a failed expectation says: the culprit in the first line, then the queries, the cure, and what was not counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbprofile.capture.counters import counting_class
from dbprofile.findings.numbers import duration, quantity, times
from dbprofile.output.source import shown_path
from dbprofile.output.terminal import cells, elide_end, escaped
from dbprofile.testing.counts import Bound
from dbprofile.testing.log import CountedInt
from dbprofile.testing.loopowner import path_of
from dbprofile.testing.project import Project, current_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dbprofile.capture.callsite import CallSite
    from dbprofile.capture.query import Query
    from dbprofile.findings.finding import Finding
    from dbprofile.sql.statement import Statement
    from dbprofile.testing.counted import Sent
    from dbprofile.testing.expectations import Outcome, Part
    from dbprofile.testing.log import QueryLog

__all__ = ["GROUPS", "Listing", "failure_text", "named_finding", "place_text"]

#: Lines that a message may have, and groups of queries in it, unless more is asked for.
LINES: Final = 25
GROUPS: Final = 8
_FIXES: Final = 2
_PARTS: Final = 12
#: Columns for a statement, for one with a label behind it, and for the short form in a first line.
_SHAPE: Final = 88
_LABELLED: Final = 52
_SUMMARY: Final = 60
_ELLIPSIS: Final = "…"
_CLASSES: Final = {
    "schema": ("catalogue query", "catalogue queries"),
    "connect": ("connection set-up statement", ""),
    "cachefill": ("cache fill", ""),
    "tool": ("statement of another tool", "statements of other tools"),
}
_SAVEPOINTS: Final = frozenset({"SAVEPOINT", "RELEASE"})


def failure_text(log: QueryLog, outcome: Outcome, note: str = "") -> str:
    """The message for expectations that do not hold."""
    listing = Listing(log, current_project())
    first, *others = listing.headings(outcome)
    lines = [first, *(f"  also: {heading}" for heading in others)]
    if note:
        lines.append(f"  note: {note}")
    if outcome.failed_parts:
        lines.extend(listing.parts(outcome.parts))
    number = outcome.bound
    if number is not None and number.is_under(log.count):
        lines.append(f"  hint: {_hint(log)}")
    if len(outcome.failed_parts) < len(others) + 1:
        lines.extend(listing.lines(LINES - len(lines)))
    return "\n".join(lines)


def _hint(log: QueryLog) -> str:
    if log.held:
        return f"the Session held {quantity(log.held, 'object')} already: fresh=True lets it load them again"
    return "cached by an earlier test? run it alone"


def place_text(site: CallSite, project: Project) -> str:
    """``shop/views.py:31``, relative to the project's root."""
    path = escaped(shown_path(site.file, project.root))
    return f"{path}:{site.line}" if site.line else path


def named_finding(finding: Finding, project: Project) -> str:
    """A finding in one line: ``N+1 of Order.customer: 5x SELECT customer at shop/serializers.py:18``."""
    word = "duplicate query" if finding.kind == "duplicate_query" else "N+1"
    of = f" of {finding.relation}" if finding.relation else ""
    return f"{word}{of}: {_repeated(finding, project)}"


@dataclass(frozen=True)
class Listing:
    """The queries of a log as a message shows them."""

    log: QueryLog
    project: Project

    # --- first lines

    def headings(self, outcome: Outcome) -> list[str]:
        """A line for each expectation that does not hold, each naming a culprit."""
        headings = []
        if outcome.bound is not None:
            headings.append(self._number(int(self.log.count), outcome.bound))
        headings.extend(self._findings(findings) for findings in (outcome.nplusone, outcome.duplicates) if findings)
        headings.extend(self._part(part) for part in outcome.failed_parts)
        if outcome.too_slow is not None:
            slowest = self.log.slowest(1)[0]
            limit = duration(outcome.too_slow)
            headings.append(f"a query took {duration(slowest.total_seconds)}, at most {limit} expected: {self._slow()}")
        if outcome.too_long is not None:
            took, limit = duration(self.log.profile.database_seconds), duration(outcome.too_long)
            headings.append(f"{took} in the database, at most {limit} expected: {self._slow()}")
        return headings

    def summed_up(self) -> str:
        """A first line that expects nothing."""
        return f"{quantity(int(self.log.count), 'query', 'queries')}: {self._culprit()}"

    def compared(self, operator: str, left: object, right: object) -> str:
        """The first line for a comparison with ``log.count`` that does not hold."""
        count, other = (left, right) if isinstance(left, CountedInt) else (right, left)
        less = isinstance(count, int) and isinstance(other, int) and count < other
        named = self._only() if less else self._culprit()
        return f"{_number_text(left)} {operator} {_number_text(right)}: {named}"

    def _number(self, count: int, bound: Bound) -> str:
        named = self._only() if bound.is_under(count) else self._culprit()
        return f"{quantity(count, 'query', 'queries')}, expected {bound}: {named}"

    def _culprit(self) -> str:
        loops = self.log.nplusone()
        if loops:
            worst = max(loops, key=lambda finding: len(finding.queries))
            return f"{_repeated(worst, self.project)} (N+1)"
        sent = self.log.sent
        if not sent:
            return "none was sent"
        largest = max(sent, key=lambda one: one.count)
        alike = [one for one in sent if one.statement.shape == largest.statement.shape]
        placed = [one for one in alike if one.site is not None]
        if len(placed) == 1:
            # Beyond what is kept in detail a statement has no place: very likely it is the one that it had before.
            return f"{times(sum(one.count for one in alike))} {_summary(largest.statement)}{self._at(placed[0].site)}"
        return f"{times(largest.count)} {_summary(largest.statement)}{self._at(largest.site)}"

    def _only(self) -> str:
        sent = self.log.sent
        if not sent:
            return "none was sent"
        named = [f"{times(one.count)} {_summary(one.statement)}{self._at(one.site)}" for one in sent[:2]]
        return f"only {', '.join(named)}" + (f", and {len(sent) - 2} more" if len(sent) > 2 else "")

    def _findings(self, findings: Sequence[Finding]) -> str:
        worst = max(findings, key=lambda finding: len(finding.queries))
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        return named_finding(worst, self.project) + more

    def _part(self, part: Part) -> str:
        largest = max(part.sent, key=lambda one: one.count, default=None)
        site = (
            f" ({place_text(largest.site, self.project)})" if largest is not None and largest.site is not None else ""
        )
        sort = f"{part.sort} " if part.sort != "kind" else ""
        return f"{sort}{part.name}: {quantity(part.count, 'query', 'queries')}, expected {part.bound}{site}"

    def _slow(self) -> str:
        slowest = self.log.slowest(1)
        if not slowest:
            return "in statements that are not counted"
        query = slowest[0]
        site = query.call_site.place() if query.call_site is not None else None
        return f"{duration(query.total_seconds)} {_summary(query.statement)}{self._at(site)}"

    def _at(self, site: CallSite | None) -> str:
        return f" at {place_text(site, self.project)}" if site is not None else ""

    # --- below them

    def parts(self, parts: Sequence[Part]) -> list[str]:
        """A row for each part that was asked about."""
        shown = sorted(parts, key=lambda part: part.holds)[:_PARTS] if len(parts) > _PARTS else parts
        names = max(len(part.name) for part in shown)
        bounds = max(len(str(part.bound)) for part in shown)
        rows = [self._row(part, names, bounds) for part in shown]
        return rows if len(shown) == len(parts) else [*rows, f"  and {len(parts) - len(shown)} more"]

    def _row(self, part: Part, names: int, bounds: int) -> str:
        row = f"  {escaped(part.name):<{names}}  {part.count:>5,}   {part.bound!s:<{bounds}}   "
        if part.holds:
            return row + "ok"
        if not part.sent:
            return row + "FAIL   none was sent"
        largest = max(part.sent, key=lambda one: one.count)
        site = f"   {place_text(largest.site, self.project)}" if largest.site is not None else ""
        return f"{row}FAIL   {times(largest.count)} {_shape(largest.statement, _LABELLED)}{site}"

    def lines(self, room: int = LINES) -> list[str]:
        """The queries in groups, the cure, what was not counted; at most ``room`` lines unless all was asked for."""
        after = [*self.fixes(), *self._not_counted(), *self._options()]
        if after:
            after.insert(0, "")
        groups = self._groups()
        shown = min(GROUPS, max((room - len(after) - 2) // 2, 1))
        if self.project.verbosity or len(groups) <= shown:
            shown = len(groups)
        lines = ["", *(line for group in groups[:shown] for line in group)] if groups else []
        if len(groups) > shown:
            more = " (-v)" if self.project.verbosity_options else ""
            lines.append(f"  and {quantity(len(groups) - shown, 'more group')}{more}")
        return lines + after

    def _groups(self) -> list[list[str]]:
        sent = self.log.sent
        width = max((len(times(one.count)) for one in sent), default=0)
        findings = {query: finding for finding in self.log.duplicates() for query in finding.queries}
        findings.update({query: finding for finding in self.log.nplusone() for query in finding.queries})
        several = len({one.database for one in sent}) > 1
        return [list(self._group(one, width, findings, several=several)) for one in sent]

    def _group(self, sent: Sent, width: int, findings: dict[Query, Finding], *, several: bool) -> Iterator[str]:
        label = ", ".join(_labels(sent, findings, several=several))
        full = self.project.verbosity > 0
        text = escaped(sent.statement.text) if full else _shape(sent.statement, _LABELLED if label else _SHAPE)
        gap = " " * max(_LABELLED - cells(text), 0) + "  " if label else ""
        yield f"  {times(sent.count):>{width}}  {text}{gap}{label}"
        indent = " " * (width + 4)
        if sent.site is not None:
            yield f"{indent}{self._place(sent.site)}"
        elif not sent.queries:
            yield f"{indent}beyond the first thousand: places are not kept"
        else:
            yield f"{indent}no line of the application"
        if self.project.verbosity > 1 and sent.queries:
            yield from self._details(sent, indent)

    def _details(self, sent: Sent, indent: str) -> Iterator[str]:
        # A comprehension and the function round it are two steps on one line.
        callers = dict.fromkeys(self._place(step) for step in path_of(sent.queries[0]))
        yield from (f"{indent}called at {place}" for place in list(callers)[1:])
        values = [repr(query.values) for query in sent.queries if query.values]
        if values:
            more = f" and {len(values) - 3} more" if len(values) > 3 else ""
            yield f"{indent}parameters: {'  '.join(elide_end(escaped(value), 200, _ELLIPSIS) for value in values[:3])}{more}"

    def _place(self, site: CallSite) -> str:
        # Newer Pythons inline comprehensions: their function is named on all of them.
        names = [name for name in site.function.split(".") if name and not name.startswith("<")]
        place = place_text(site, self.project)
        return f"{place} in {names[-1]}" if names else place

    def statement_lines(self, sent: Sent) -> list[str]:
        """A statement, and the line that sends it."""
        text = _shape(sent.statement, _LABELLED)
        return [text, self._place(sent.site)] if sent.site is not None else [text]

    def fixes(self, *, saves: bool = True) -> list[str]:
        """The edits that cure the N+1 with most repeats, and how many queries each saves."""
        lines: dict[str, None] = {}
        for finding in sorted(self.log.nplusone(), key=lambda finding: -len(finding.queries)):
            fix = finding.fix
            if fix is None:
                continue
            is_sure = saves and fix.certain and fix.kind != "advice"
            saved = f" saves {len(finding.queries) - fix.leaves:,}" if is_sure else ""
            lines[f"  {'fix' if fix.certain else 'try'}: {escaped(fix.text)}{self._at(fix.place)}{saved}"] = None
        return list(lines)[:_FIXES]

    def _not_counted(self) -> list[str]:
        left_out = self.log.not_counted
        if not left_out:
            return []
        every = int(self.log.count) + sum(left_out.values())
        verbs = {query.statement.verb for query in self.log.profile.queries if counting_class(query) == "tx"}
        control = "savepoint statement" if verbs <= _SAVEPOINTS else "transaction statement"
        words = {**_CLASSES, "tx": (control, "")}
        named = ", ".join(quantity(number, *words[name]) for name, number in left_out.items())
        return [f'  not counted: {named} (count="all" would be {every:,})']

    def _options(self) -> list[str]:
        if not self.project.verbosity_options:
            return []
        if self.project.verbosity == 0:
            return ["  -v: full SQL   -vv: parameters and stacks"]
        return ["  -vv: parameters and stacks"] if self.project.verbosity == 1 else []


def _repeated(finding: Finding, project: Project) -> str:
    statement = finding.statement
    number = sum(query.statement == statement for query in finding.queries)
    at = f" at {place_text(finding.trigger, project)}" if finding.trigger is not None else ""
    return f"{times(number)} {_summary(statement) if statement is not None else finding.subject}{at}"


def _labels(sent: Sent, findings: dict[Query, Finding], *, several: bool) -> Iterator[str]:
    found = list(dict.fromkeys(findings[query] for query in sent.queries if query in findings))
    if found:
        yield "duplicate" if found[0].kind == "duplicate_query" else "N+1"
        if found[0].relation:
            yield found[0].relation
    trips = sum(query.round_trips for query in sent.queries)
    if trips > len(sent.queries):
        yield quantity(trips, "round trip")
    if several:
        yield sent.database
    yield from dict.fromkeys(f"thread {query.thread}" for query in sent.queries if query.thread is not None)


def _shape(statement: Statement, width: int) -> str:
    return elide_end(escaped(statement.shape), width, _ELLIPSIS)


def _summary(statement: Statement) -> str:
    tables = statement.written or statement.tables
    return elide_end(escaped(f"{statement.verb} {tables[0]}" if tables else statement.shape), _SUMMARY, _ELLIPSIS)


def _number_text(value: object) -> str:
    return quantity(value, "query", "queries") if isinstance(value, CountedInt) else repr(value)
