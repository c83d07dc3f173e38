"""What is known of a terminal, and text made fit for it."""

import io
import os
import pty
import termios
from collections.abc import Iterator, Mapping
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbprofile.output.terminal import Terminal, cells, colour_wanted, elide_end, elide_middle, escaped, visible, wrapped


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A stream that is a terminal of 93 columns."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 93))
    with os.fdopen(follower, "w", encoding="utf-8") as stream:
        yield stream
    os.close(leader)


@pytest.mark.parametrize(
    ("watched", "environment", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"TERM": "xterm"}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_is_wanted(watched: bool, environment: Mapping[str, str], expected: bool) -> None:
    assert colour_wanted(watched, environment) is expected


def test_a_choice_beats_the_variables() -> None:
    assert Terminal.of(io.StringIO(), {"NO_COLOR": "1"}, colour=True).colour
    assert not Terminal.of(io.StringIO(), {"FORCE_COLOR": "1"}, colour=False).colour


def test_a_terminal_has_its_own_width_and_colour(terminal: TextIO) -> None:
    assert Terminal.of(terminal, {}) == Terminal(93, colour=True, ascii=False)


@pytest.mark.parametrize(("columns", "width"), [(40, 80), (80, 80), (120, 120), (240, 120), (0, 100)])
def test_width_is_kept_within_what_reads_well(terminal: TextIO, columns: int, width: int) -> None:
    termios.tcsetwinsize(terminal.fileno(), (24, columns))

    assert Terminal.of(terminal, {}).width == width


def test_what_is_no_terminal_is_100_columns_wide_and_plain() -> None:
    assert Terminal.of(io.StringIO(), {}) == Terminal(100, colour=False, ascii=False)


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()

    assert Terminal.of(stream, {}) == Terminal()


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", False), ("ascii", True), ("latin-1", True), ("cp1252", False), ("utf-16", False)],
)
def test_a_stream_that_has_no_ellipsis_gets_ascii(encoding: str, expected: bool) -> None:
    assert Terminal.of(io.TextIOWrapper(io.BytesIO(), encoding=encoding), {}).ascii is expected


def test_paint_is_an_escape_sequence_or_nothing() -> None:
    assert Terminal(colour=True).paint("SLOW", "warning") == "\x1b[1;33mSLOW\x1b[0m"
    assert Terminal(colour=True).paint("", "warning") == ""
    assert Terminal().paint("SLOW", "warning") == "SLOW"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本", "plain é 日本"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\u202eabc\u2066", r"\u202eabc\u2066"),
        ("\u2028\u200b\ufeff", r"\u2028\u200b\ufeff"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("\ud800", r"\ud800"),
    ],
)
def test_invisible_characters_are_spelt_out(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_in_ascii_other_characters_are_spelt_out() -> None:
    assert visible("é … \x1b", Terminal(ascii=True)) == r"\xe9 ... \x1b"
    assert visible("é … \x1b", Terminal()) == r"é … \x1b"


@pytest.mark.parametrize(("text", "expected"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("日本", 4), ("", 0)])
def test_cells_are_the_columns_that_text_fills(text: str, expected: int) -> None:
    assert cells(text) == expected


TEXTS = st.text(max_size=60).map(escaped)


@given(TEXTS, st.integers(3, 80))
def test_an_elided_text_fits_and_begins_as_the_whole_does(text: str, width: int) -> None:
    for elided in (elide_end(text, width, "…"), elide_middle(text, width, "…")):
        assert cells(elided) <= width
        assert text.startswith(elided.partition("…")[0]) or "…" in text


@given(st.text(max_size=60), st.integers(1, 80))
def test_what_fits_is_not_elided(text: str, more: int) -> None:
    assert elide_end(text, cells(text) + more, "…") == elide_middle(text, cells(text) + more, "…") == text


def test_the_middle_goes_and_both_ends_stay() -> None:
    assert elide_middle("0123456789" * 3, 13, "…") == "01234567…6789"


@given(TEXTS, st.integers(2, 20), st.integers(2, 20))
def test_wrapped_text_fits_and_loses_only_spaces(text: str, first: int, others: int) -> None:
    lines = wrapped(text, first, others)

    assert cells(lines[0]) <= first
    assert all(cells(line) <= others for line in lines[1:])
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_text_is_wrapped_where_a_word_or_a_call_ends() -> None:
    assert wrapped("one two three four", 10, 10) == ["one two", "three four"]
    assert wrapped("Order.objects.filter(a=1).only(b)", 28, 28) == ["Order.objects.filter(a=1)", ".only(b)"]
    assert wrapped("function(argument,another)", 20, 20) == ["function(argument,", "another)"]
    assert wrapped("a" * 25, 10, 10) == ["a" * 10, "a" * 10, "a" * 5]
