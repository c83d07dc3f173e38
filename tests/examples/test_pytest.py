import subprocess
import sys

import pytest

from tests.tree import REPOSITORY

NO_DJANGO = ("-p", "no:django")


def run(*options: str, example: str = "pytest") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    folder = REPOSITORY / "examples" / example
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_the_tests_of_the_shop_pass_and_the_loop_is_named() -> None:
    ran = run(*NO_DJANGO, "-v")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "queries: 24 in 4 tests, most 11 in test_shop.py::test_packing_list; 1 N+1" in ran.stdout.splitlines()
    assert "  N+1 of Order.customer: 10x SELECT customer at shop.py:44  in 1 test, " in ran.stdout


def test_where_none_may_be_the_loop_fails_its_test_with_the_cure() -> None:
    ran = run(*NO_DJANGO, "--queries-nplusone=fail")
    assert ran.returncode == 1
    assert "E   AssertionError: N+1 of Order.customer: 10x SELECT customer at shop.py:44" in ran.stdout.splitlines()
    assert (
        "fix: select(Order).order_by(Order.id).options(joinedload(Order.customer)) at shop.py:43 saves 10" in ran.stdout
    )


@pytest.mark.parametrize(
    ("example", "options", "passed", "summary"),
    [
        ("pytest-django", ("-p", "no:asyncio"), 5, "queries: 44 in 5 tests, most 16 in tests/test_orders.py::"),
        (
            "pytest-flask",
            ("-p", "no:asyncio", *NO_DJANGO),
            2,
            "queries: 2 in 2 tests, most 1 in tests/test_orders.py::",
        ),
        ("pytest-fastapi", NO_DJANGO, 2, "queries: 14 in 2 tests, most 10 in tests/test_orders.py::"),
    ],
)
def test_the_tests_of_each_framework_pass(example: str, options: tuple[str, ...], passed: int, summary: str) -> None:
    ran = run("-W", "error", *options, example=example)
    assert f"{passed} passed" in ran.stdout, ran.stdout + ran.stderr
    assert any(line.startswith(summary) for line in ran.stdout.splitlines()), ran.stdout


def test_the_test_cases_of_django_run_without_pytest() -> None:
    command = [sys.executable, "-W", "error", "manage.py", "test"]
    folder = REPOSITORY / "examples/pytest-django"
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert "Ran 2 tests" in ran.stderr
