"""The block of a finding: what, what it costs, where it happens, the SQL in one line, and the edit that cures it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.profile import Profile
from dbprofile.findings.finding import Finding, Fix
from dbprofile.findings.numbers import quantity, times
from dbprofile.findings.places import place_of
from dbprofile.output.excerpts import sql_excerpt
from dbprofile.output.source import Root, shown_path, source_text
from dbprofile.output.terminal import Terminal, cells, elide_end, visible, wrapped
from dbprofile.output.wording import costs_of, effect_of, how_often, named, shown_callers, word_of
from dbprofile.sql.statement import Statement

__all__ = ["Block"]

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
        if word_of(self.finding) == "DUP":
            yield from self._repeated()
        else:
            yield from self._places()
            if self.finding.statement is not None:
                yield self._statement(self.finding.statement, how_often(self.finding))
            elif word_of(self.finding) == "OVER":
                yield from self._most_frequent()
        if self.finding.fix is not None:
            yield from self._fix(self.finding.fix)

    # --- what, and what it costs

    def _heading(self) -> Iterator[str]:
        finding, terminal = self.finding, self.terminal
        room = terminal.width - _INDENT - len(finding.code) - 2
        message = self._visible(finding.message)
        costs = [cost for cost in costs_of(finding) if cells(message) + 2 + len(cost) <= room]
        cost = costs[0] if costs else ""
        first, *more = wrapped(message, room - (len(cost) + 2 if cost else 0), terminal.width - _INDENT)
        gap = " " * (room - cells(first) - len(cost))
        word = word_of(finding)
        painted = terminal.paint(word, str(finding.severity)) + " " * (_INDENT - 2 - len(word))
        yield f"  {painted}{first}{gap}{cost}  {terminal.paint(finding.code, 'faint')}"
        yield from (" " * _INDENT + line for line in more)

    # --- where

    def _places(self) -> Iterator[str]:
        finding = self.finding
        if finding.trigger is not None:
            yield self._place(finding.trigger)
        for caller in shown_callers(finding):
            yield self._place(caller)
        if finding.origin is not None:
            rows = quantity(finding.origin_rows, "row") if finding.origin_rows is not None else ""
            yield self._row(f"rows came from {self._path(finding.origin)}", source_text(finding.origin), rows)

    def _place(self, site: CallSite) -> str:
        path, source, name = self._path(site), source_text(site), named(site)
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
        if effect := effect_of(self.finding, self.profile):
            text += f"  {effect}"
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
