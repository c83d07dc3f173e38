"""The queryset behind a line of the application, read off its source."""

from pathlib import Path

import pytest

from dbprofile.hooks import CallSite
from dbprofile_django.expressions import Expression, find_expression


def _expression(folder: Path, *body: str) -> Expression | None:
    path = folder / "views.py"
    path.write_text("\n".join(["def view(request):", *(f"    {line}" for line in body)]) + "\n")
    return find_expression([CallSite(str(path), len(body) + 1, "view")], "Album", ["objects"])


@pytest.mark.parametrize(
    ("line", "many"),
    [
        ("Album.objects.all()[:8]", True),
        ("Album.objects.order_by('title')[page * 10 : page * 10 + 10]", True),
        ("Album.objects.filter(open=True)[0]", False),
        ("Album.objects.filter(open=True).iterator()", True),
        ("Album.objects.filter(open=True).first()", False),
    ],
)
def test_an_expression_is_repeated_whole(tmp_path: Path, line: str, many: bool) -> None:
    found = _expression(tmp_path, f"albums = {line}", "return render(albums)")

    assert str(found) == line
    assert found is not None
    assert found.delivers_many is many


def test_of_two_expressions_the_one_that_delivers_rows_is_meant(tmp_path: Path) -> None:
    found = _expression(
        tmp_path, "n = Album.objects.count()", "albums = Album.objects.all()[:8]", "return render(albums)"
    )

    assert str(found) == "Album.objects.all()[:8]"


def test_where_two_may_be_meant_there_is_none(tmp_path: Path) -> None:
    assert _expression(tmp_path, "a = Album.objects.all()", "b = Album.objects.all()[:8]", "return a, b") is None
