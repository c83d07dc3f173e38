"""The block of a finding: what, what it costs, where it happens, the SQL in one line, and the edit that cures it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.profile import Profile
from dbprofile.findings.finding import Finding, Fix
from dbprofile.findings.numbers import duration, quantity, times
from dbprofile.findings.places import place_of
from dbprofile.output.excerpts import sql_excerpt
from dbprofile.output.source import Root, shown_path, source_text
from dbprofile.output.terminal import Terminal, cells, elide_end, visible, wrapped
from dbprofile.sql.statement import Statement

__all__ = ["Block"]

#: Words of single codes, and of families by their first digit.
_WORDS: Final = {
    "DBP101": "N+1", "DBP102": "LOOP", "DBP121": "LOOP", "DBP111": "DUP", "DBP112": "DUP", "DBP131": "OVER",
    "2": "SLOW", "3": "SHAPE", "4": "TX", "5": "ASYNC",
}  # fmt: skip

_INDENT: Final = 8
#: Where source text begins, in a terminal of 100 columns and in a narrower one.
_SOURCE_COLUMN: Final = 47
_SOURCE_COLUMN_NARROW: Final = 41
#: Columns of source text and of SQL that are worth showing.
_LEAST_SOURCE: Final = 20
_LEAST_SQL: Final = 30
_PLACES: Final = 3
_FREQUENT: Final = 3
_FIX_LINES: Final = 3


@dataclass(frozen=True)
class Block:
    """How one finding of a profile reads in a terminal."""

    finding: Finding
    profile: Profile
    terminal: Terminal
    root: Root | None = None

    def lines(self) -> Iterator[str]:
        """The block, line by line."""
        yield from self._heading()
        if _word(self.finding) == "DUP":
            yield from self._repeated()
        else:
            yield from self._places()
            if self.finding.statement is not None:
                yield self._statement(self.finding.statement, self._how_often())
            elif _word(self.finding) == "OVER":
                yield from self._most_frequent()
        if self.finding.fix is not None:
            yield from self._fix(self.finding.fix)

    # --- what, and what it costs

    def _heading(self) -> Iterator[str]:
        finding, terminal = self.finding, self.terminal
        room = terminal.width - _INDENT - len(finding.code) - 2
        message = self._visible(finding.message)
        costs = [cost for cost in self._costs() if cells(message) + 2 + len(cost) <= room]
        cost = costs[0] if costs else ""
        first, *more = wrapped(message, room - (len(cost) + 2 if cost else 0), terminal.width - _INDENT)
        gap = " " * (room - cells(first) - len(cost))
        word = _word(finding)
        painted = terminal.paint(word, str(finding.severity)) + " " * (_INDENT - 2 - len(word))
        yield f"  {painted}{first}{gap}{cost}  {terminal.paint(finding.code, 'faint')}"
        yield from (" " * _INDENT + line for line in more)

    def _costs(self) -> Iterator[str]:
        """What stands at the right edge, from the fullest to the shortest."""
        finding = self.finding
        if _word(finding) == "SLOW":
            if finding.threshold is not None:
                yield f"over {duration(finding.threshold)}"
            return
        took = duration(finding.seconds)
        fix = finding.fix
        if fix is not None and fix.kind != "advice" and finding.avoidable_seconds > 0:
            yield f"{took}, about {_without_unit_of(took, duration(finding.avoidable_seconds))} avoidable"
        yield took

    # --- where

    def _places(self) -> Iterator[str]:
        finding = self.finding
        if finding.trigger is not None:
            yield self._place(finding.trigger)
        for caller in _shown_callers(finding):
            yield self._place(caller)
        if finding.origin is not None:
            rows = quantity(finding.origin_rows, "row") if finding.origin_rows is not None else ""
            yield self._row(f"rows came from {self._path(finding.origin)}", source_text(finding.origin), rows)

    def _place(self, site: CallSite) -> str:
        path, source, name = self._path(site), source_text(site), site.field or _function(site)
        with_function = f"{path} in {self._visible(name)}" if name else path
        room = self.terminal.width - _INDENT - 2
        roomy = cells(with_function) + min(cells(source), _LEAST_SOURCE) <= room
        return self._row(with_function if roomy else path, source)

    def _path(self, site: CallSite) -> str:
        return self._visible(f"{shown_path(site.file, self.root)}:{site.line}" if site.line else site.file)

    def _row(self, left: str, source: str, right: str = "") -> str:
        width = self.terminal.width
        column = _SOURCE_COLUMN if width >= _SOURCE_COLUMN * 2 else _SOURCE_COLUMN_NARROW
        start = max(column, _INDENT + cells(left) + 2)
        room = width - start - (len(right) + 2 if right else 0)
        line = " " * _INDENT + left
        source = elide_end(self._visible(source), room, self.terminal.ellipsis) if room > 0 else ""
        if cells(source) > len(self.terminal.ellipsis):
            line += " " * (start - cells(line)) + source
        return self._at_right_edge(line, right)

    # --- the statement

    def _statement(self, statement: Statement, right: str) -> str:
        room = self.terminal.width - _INDENT - (cells(right) + 2 if right else 0)
        sql = self._visible(sql_excerpt(statement, room, self.terminal.ellipsis))
        return self._at_right_edge(" " * _INDENT + elide_end(sql, room, self.terminal.ellipsis), right)

    def _how_often(self) -> str:
        """``50x, 12 different ids``: of one loop the executions, and how many of them asked something new."""
        finding = self.finding
        if _word(finding) not in {"N+1", "LOOP"}:
            return ""
        members = [query for query in finding.queries if query.statement == finding.statement]
        digests = [query.parameters for query in members]
        known = {digest.hash for digest in digests if digest is not None}
        if not known or None in digests:
            return times(len(members))
        single = all(digest is not None and digest.count == 1 for digest in digests)
        return f"{times(len(members))}, {len(known):,} different {'ids' if single else 'parameters'}"

    def _most_frequent(self) -> Iterator[str]:
        """What a budget went into."""
        tally = Counter(query.statement for query in self.finding.queries)
        for statement, count in tally.most_common(_FREQUENT):
            yield self._statement(statement, times(count))

    def _repeated(self) -> Iterator[str]:
        """The statement of a question asked again, beside it the places that asked; below it with their source if they need room."""
        sites = list(dict.fromkeys(site for query in self.finding.queries if (site := place_of(query)) is not None))
        more = len(sites) - _PLACES
        rest = f" and {more:,} more" if more > 0 else ""
        joined = ", ".join(self._path(site) for site in sites[:_PLACES]) + rest
        beside = len(sites) > 1 and cells(joined) + 2 + _LEAST_SQL <= self.terminal.width - _INDENT
        if not beside:
            yield from map(self._place, sites[:_PLACES])
            if rest:
                yield " " * _INDENT + rest.lstrip()
        if self.finding.statement is not None:
            yield self._statement(self.finding.statement, joined if beside else "")

    # --- the cure

    def _fix(self, fix: Fix) -> Iterator[str]:
        terminal = self.terminal
        word = f"{'fix' if fix.certain else 'try':>6}  "
        place = self._path(fix.place) if fix.place is not None else ""
        text = self._visible(fix.text)
        if fix.certain and fix.kind != "advice":
            before = self.profile.query_count
            text += f"  {before:,} -> {before - (fix.replaces or len(self.finding.queries)) + fix.leaves:,}"
        room = terminal.width - _INDENT
        if place and cells(place) + 3 + cells(text) <= room:
            yield f"{word}{place}   {text}"
            return
        lines = wrapped(text, room, room)
        if len(lines) > _FIX_LINES:
            lines[_FIX_LINES:] = []
            lines[-1] = elide_end(lines[-1] + terminal.ellipsis, room, terminal.ellipsis)
        first, *more = [place, *lines] if place else lines
        yield word + first
        yield from (" " * _INDENT + line for line in more)

    # --- the line

    def _at_right_edge(self, line: str, right: str) -> str:
        gap = self.terminal.width - cells(line) - cells(right)
        return line + " " * gap + right if right and gap >= 2 else line

    def _visible(self, text: str) -> str:
        return visible(text, self.terminal)


def _word(finding: Finding) -> str:
    return _WORDS.get(finding.code) or _WORDS.get(finding.code[3:4]) or finding.code


def _without_unit_of(first: str, second: str) -> str:
    unit = first.partition(" ")[2]
    return second.removesuffix(f" {unit}")


def _shown_callers(finding: Finding) -> list[CallSite]:
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


def _function(site: CallSite) -> str:
    """The innermost function that has a name, which lambdas and comprehensions have not; none at the top of a module."""
    names = [name for name in site.function.split(".<locals>.") if not name.startswith("<")]
    return names[-1] if names else ""
