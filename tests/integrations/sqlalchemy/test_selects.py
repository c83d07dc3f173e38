"""The select() behind a line of the application, read off its source."""

from pathlib import Path

import pytest

from dbprofile.hooks import CallSite
from dbprofile_sqlalchemy.selects import Selection, selection_at

HEAD = "select(Order)"

FOUND = {
    "on the line": (
        "def f(s):\n    return s.scalars(select(Order).where(Order.id > 1)).all()  # here\n",
        "select(Order).where(Order.id > 1)",
    ),
    "in the head of a loop": ("def f(s):\n    for o in s.scalars(select(Order)):  # here\n        o.x\n", HEAD),
    "in a loop on one line": ("def f(s):\n    for o in s.scalars(select(Order)): o.x  # here\n", HEAD),
    "in a comprehension": ("def f(s):\n    return [o.x for o in s.scalars(select(Order))]  # here\n", HEAD),
    "over several lines": (
        "def f(s):\n    return s.scalars(\n        select(Order)  # here\n        .limit(1)\n    )\n",
        "select(Order).limit(1)",
    ),
    "earlier in the function": (
        "def f(s):\n    q = select(Order)\n    q = q.limit(1)\n    return s.scalars(q)  # here\n",
        HEAD,
    ),
    "by the older way": (
        "def f(s):\n    return s.query(Order).filter_by(id=1).all()  # here\n",
        "s.query(Order).filter_by(id=1)",
    ),
    "behind a module": (
        "def f(s):\n    return s.scalars(sa.select(models.Order))  # here\n",
        "sa.select(models.Order)",
    ),
    "beside another class": ("def f(s):\n    return s.scalars(select(Order)), s.scalars(select(Item))  # here\n", HEAD),
    "by key": ("def f(s):\n    return s.get(Order, 1)  # here\n", "s.get(Order, 1)"),
    "at the top of a module": ("orders = s.scalars(select(Order)).all()  # here\n", HEAD),
    "in a context": ("def f(s):\n    with s.scalars(select(Order)) as orders:  # here\n        list(orders)\n", HEAD),
}

NOT_FOUND = {
    "two that may be meant": "def f(s):\n    a = select(Order)\n    b = select(Order)\n    return s.scalars(a), s.scalars(b)  # here\n",
    "none in the function": "q = select(Order)\ndef f(s):\n    return s.scalars(q)  # here\n",
    "a dictionary's get": "def f(s, d):\n    return d.get(key, s.scalars(stmt))  # here\n",
    "broken source": "def f(:\n    # here\n",
}


def _selection(folder: Path, source: str) -> Selection | None:
    path = folder / "page.py"
    path.write_text(source, encoding="utf-8")
    line = next(number for number, text in enumerate(source.splitlines(), 1) if text.endswith("# here"))
    return selection_at(CallSite(str(path), line, "f"), "Order")


@pytest.mark.parametrize("name", FOUND)
def test_a_selection_is_found(name: str, tmp_path: Path) -> None:
    source, head = FOUND[name]
    found = _selection(tmp_path, source)
    assert found is not None
    assert found.head == head
    assert source.splitlines()[found.line - 1].count(head.partition("(")[0])


@pytest.mark.parametrize("name", NOT_FOUND)
def test_nothing_is_guessed_where_there_are(name: str, tmp_path: Path) -> None:
    assert _selection(tmp_path, NOT_FOUND[name]) is None


def test_a_file_that_is_gone_is_no_error(tmp_path: Path) -> None:
    assert selection_at(CallSite(str(tmp_path / "gone.py"), 1, "f"), "Order") is None


def test_options_that_stand_there_are_told(tmp_path: Path) -> None:
    found = _selection(
        tmp_path, "def f(s):\n    return s.scalars(select(Order).options(joinedload(Order.customer)))  # here\n"
    )
    assert found is not None
    assert found.options == ("joinedload(Order.customer)",)
