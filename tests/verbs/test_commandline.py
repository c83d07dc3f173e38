"""What a report keeps of a command line: what was typed, without what looks like a secret."""

import pytest

from dbprofile.programs.commandline import shown_command


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["manage.py", "migrate", "--noinput"], "manage.py migrate --noinput"),
        (["python", "-m", "pytest", "-k", "a or b", ""], "python -m pytest -k 'a or b' ''"),
        (["x.py", "it's"], "x.py 'it'\"'\"'s'"),
        (["x.py", "--token=abc", "--verbose"], "x.py --token=*** --verbose"),
        (["x.py", "--password", "hunter2", "next"], "x.py --password *** next"),
        (["x.py", "--db-passwd", "-hunter2"], "x.py --db-passwd ***"),
        (["x.py", "--api-key", "--verbose"], "x.py --api-key --verbose"),
        (
            ["x.py", "--clientSecret=a", "API_KEY=b", "DJANGO_SECRET_KEY=c"],
            "x.py --clientSecret=*** API_KEY=*** DJANGO_SECRET_KEY=***",
        ),
        (["x.py", "host=db password=a b dbname=c"], "x.py 'host=db password=***'"),
        (["x.py", '{"user": "a", "password": "b"}'], 'x.py \'{"user": "a", "password": ***\''),
        (["x.py", "Authorization: Bearer abc"], "x.py 'Authorization: ***'"),
        (["x.py", "postgresql://me:p@ss@db/shop"], "x.py postgresql://***@db/shop"),
        (["x.py", "--url=redis://:pw@host:1/0"], "x.py --url=redis://***@host:1/0"),
        (["x.py", "https://h/p?q=1&sig=2#top"], "x.py https://h/p?q=***&sig=***"),
        (["x.py", "https://h/p?q=1&r=2#top"], "x.py https://h/p?q=***&r=***#top"),
        (["x.py", "https://h/p"], "x.py https://h/p"),
        (["x.py", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"], "x.py ghp_***"),
        (["x.py", "9fceb02d0ae598e95dc970b74767f19372d61af8"], "x.py ***"),
        (["x.py", "x" * 501], "x.py ***"),
        (
            ["pytest", "tests/test_auth.py::test_token_v2", "-k", "token"],
            "pytest tests/test_auth.py::test_token_v2 -k token",
        ),
        (["uvicorn", "shop.auth:app"], "uvicorn shop.auth:app"),
        (["manage.py", "migrate", "auth", "0001_initial_squashed_0023_add_order_date"], None),
        (["manage.py", "test", "shop.tests.TestOrderViewsV2WithPagination"], None),
        (["manage.py", "dumpdata", "auth.user", "--exclude=auth.permission"], None),
    ],
)
def test_values_that_look_like_secrets_are_masked_and_others_are_kept(words: list[str], shown: str | None) -> None:
    assert shown_command(words) == (" ".join(words) if shown is None else shown)


def test_it_is_short_however_long_the_line_was() -> None:
    shown = shown_command(["x.py", *(f"file-{number}.csv" for number in range(100_000))])
    assert len(shown) == 200
    assert shown.startswith("x.py file-0.csv file-1.csv")
    assert shown.endswith("...")


def test_no_part_of_a_secret_is_left_where_the_line_is_cut() -> None:
    assert "hunter2" not in shown_command(["x" * 180, "postgresql://someone:hunter2@host/database"])
