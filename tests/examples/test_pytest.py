import subprocess
import sys

from tests.tree import REPOSITORY


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:django", *options]
    return subprocess.run(
        command, cwd=REPOSITORY / "examples/pytest", capture_output=True, text=True, check=False, timeout=120
    )


def test_the_tests_of_the_shop_pass_and_the_loop_is_named() -> None:
    ran = run("-v")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "queries: 24 in 4 tests, most 11 in test_shop.py::test_packing_list; 1 N+1" in ran.stdout.splitlines()
    assert "  N+1 of Order.customer: 10x SELECT customer at shop.py:44  in 1 test, " in ran.stdout


def test_where_none_may_be_the_loop_fails_its_test_with_the_cure() -> None:
    ran = run("--queries-nplusone=fail")
    assert ran.returncode == 1
    assert "E   AssertionError: N+1 of Order.customer: 10x SELECT customer at shop.py:44" in ran.stdout.splitlines()
    assert (
        "fix: select(Order).order_by(Order.id).options(joinedload(Order.customer)) at shop.py:43 saves 10" in ran.stdout
    )
