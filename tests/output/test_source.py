"""What stands at a place."""

import os
from pathlib import Path

import pytest

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.source import LARGEST
from dbprofile.output.source import shown_path, source_text


def test_a_path_below_the_root_is_relative_to_it() -> None:
    assert shown_path("/srv/app/shop/views.py", Path("/srv/app")) == "shop/views.py"


@pytest.mark.parametrize("file", ["/srv/application/views.py", "/usr/lib/x.py", "orders.html", "<stdin>"])
def test_a_path_elsewhere_is_shown_whole(file: str) -> None:
    assert shown_path(file, Path("/srv/app")) == file


def test_everything_is_below_the_root_of_the_file_system() -> None:
    assert shown_path("/srv/x.py", Path("/")) == "srv/x.py"


def test_without_a_root_the_working_directory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert shown_path(str(tmp_path / "a.py")) == "a.py"


def test_a_line_has_no_indentation_and_single_spaces(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("one\n\tif\tx:  # two\n")

    assert source_text(CallSite(str(file), 2)) == "if x: # two"


@pytest.mark.parametrize("line", [0, -1, 3, 99])
def test_a_line_that_is_not_there_is_empty(tmp_path: Path, line: int) -> None:
    file = tmp_path / "a.py"
    file.write_text("one\ntwo")

    assert source_text(CallSite(str(file), line)) == ""


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a.html"
    file.write_text("one")
    before = source_text(CallSite(str(file), 1))
    file.write_text("another")

    assert (before, source_text(CallSite(str(file), 1))) == ("one", "another")


def test_bytes_that_are_no_utf_8_are_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"name = '\xe9'")

    assert source_text(CallSite(str(file), 1)) == "name = '\ufffd'"


def test_what_is_no_readable_file_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.html").write_text("not meant")
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large.py"
    large.write_text("x" * (LARGEST + 1))

    for file in (
        "orders.html",
        "<stdin>",
        "/nowhere/a.py",
        "/dev/zero",
        str(tmp_path),
        str(tmp_path / "pipe"),
        str(large),
        "/a\0b",
    ):
        assert source_text(CallSite(file, 1)) == ""


@pytest.mark.parametrize(
    ("line", "tag", "shown"),
    [
        ("<td>{{ order.customer.name }}</td>", "order.customer.name", "{{ order.customer.name }}"),
        ("{{ a }}{{ b.c }}{{ d }}", "b.c", "{{ b.c }}"),
        ("{% for o in orders %}{{ o }}{% endfor %}", "for o in orders", "{% for o in orders %}"),
        ("{{  a  |  upper }}", "a | upper", "{{ a | upper }}"),
        ("{% blocktrans %}", "something else", "{% blocktrans %}"),
        ("", "order.customer.name", "order.customer.name"),
    ],
)
def test_of_a_template_the_tag_is_shown(tmp_path: Path, line: str, tag: str, shown: str) -> None:
    file = tmp_path / "a.html"
    file.write_text(line)

    assert source_text(CallSite(str(file), 1, template="a.html", tag=tag)) == shown
