"""``dbprofile run``: the program finds, prints and returns what it does under Python alone, and what it asked is reported."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from dbprofile.cli import main
from tests import services

FACTS = """
import json, sys
print(json.dumps({
    "name": __name__, "file": __file__, "package": __package__, "cached": __cached__, "doc": __doc__,
    "spec": __spec__ and [__spec__.name, __spec__.origin], "loader": type(__loader__).__name__, "names": sorted(globals()),
    "argv": sys.argv, "path": sys.path[0], "main": sys.modules["__main__"].__dict__ is globals(), "flags": list(sys.flags),
}))
"""

Finished = subprocess.CompletedProcess[str]


def python(*words: str, folder: Path, given: str = "", options: tuple[str, ...] = (), **variables: str) -> Finished:
    """What Python does with a program."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DBPROFILE")}
    return subprocess.run(
        [sys.executable, *options, *words],
        cwd=folder,
        env={**environment, **variables},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def run(*words: str, folder: Path, given: str = "", options: tuple[str, ...] = (), **variables: str) -> Finished:
    """What it does with the program under ``dbprofile run``."""
    return python("-m", "dbprofile", "run", *words, folder=folder, given=given, options=options, **variables)


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    return name


def report_of(done: Finished) -> str:
    """What is ours on standard error."""
    return done.stderr[done.stderr.index("dbprofile command ") :]


# --- what the program finds -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one program of each kind, all of which tell what they found."""
    folder = tmp_path_factory.mktemp("programs").resolve()
    for name in ("facts.py", "scripts/facts.py", "package/__main__.py", "package/module.py", "folder/__main__.py"):
        write(folder, name, FACTS)
    write(folder, "package/__init__.py", "import sys\nprint(sys.argv)\n")
    write(folder, "nowhere/tasks.py", "")
    with zipfile.ZipFile(folder / "archive.pyz", "w") as archive:
        archive.writestr("__main__.py", FACTS)
    (folder / "link.py").symlink_to("scripts/facts.py")
    (folder / "scripts" / "up.py").symlink_to("../link.py")
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ("facts.py", "--option", "-m", "--", "x y", ""),
        ("scripts/.././facts.py",),
        ("link.py",),
        ("scripts/up.py",),
        ("folder/", "a"),
        ("archive.pyz", "a"),
        ("-m", "package.module", "-x", "--json", "a"),
        ("-m", "package", "a"),
    ],
    ids=" ".join,
)
def test_a_program_finds_what_python_gives_it(programs: Path, words: tuple[str, ...]) -> None:
    plain, ours = python(*words, folder=programs), run(*words, folder=programs)
    assert plain.returncode == 0, plain.stderr
    assert (ours.returncode, ours.stdout) == (0, plain.stdout)


@pytest.mark.parametrize("words", [("scripts/facts.py",), ("folder",), ("-m", "facts")], ids=" ".join)
def test_where_python_is_told_to_search_no_folder_none_is(programs: Path, words: tuple[str, ...]) -> None:
    plain = python(*words, folder=programs, options=("-P",), PYTHONPATH=str(programs))
    ours = run(*words, folder=programs, options=("-P",), PYTHONPATH=str(programs))
    assert (ours.returncode, ours.stdout) == (0, plain.stdout)


def test_an_absolute_path_names_the_same_program(programs: Path) -> None:
    script = str(programs / "scripts" / "facts.py")
    assert run(script, folder=programs.parent).stdout == python(script, folder=programs.parent).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--", "facts.py", "a"),
        ("--", "python3", "facts.py", "a"),
        ("--", "-m", "facts", "-x"),
        ("python", "-m", "facts", "-x"),
    ],
    ids=" ".join,
)
def test_a_program_may_be_named_as_in_a_shell(programs: Path, words: tuple[str, ...]) -> None:
    plain = python(*(word for word in words if word != "--" and "python" not in word), folder=programs)
    assert run(*words, folder=programs).stdout == plain.stdout


def test_a_command_is_the_one_of_this_environment_whatever_the_folder_holds(tmp_path: Path) -> None:
    (tmp_path / "pytest").mkdir()  # a folder without a __main__ is no program
    done = run("--", "pytest", "--version", folder=tmp_path, PATH="")
    assert (done.returncode, done.stdout) == (0, f"pytest {pytest.__version__}\n")
    assert report_of(done).startswith("dbprofile command pytest --version | 0 queries |")


def test_a_command_on_the_path_is_found_and_its_folder_comes_first(tmp_path: Path) -> None:
    commands = tmp_path.resolve() / "commands"
    write(commands, "tell-facts", f"#!{sys.executable}\n{FACTS}")
    (commands / "tell-facts").chmod(0o755)
    done = run("tell-facts", "a", folder=tmp_path, PATH=str(commands))
    assert done.stdout == python(str(commands / "tell-facts"), "a", folder=tmp_path).stdout


def test_standard_input_is_the_programs(tmp_path: Path) -> None:
    write(
        tmp_path,
        "upper.py",
        "import sys\nfor line in sys.stdin:\n    print(line.upper(), end='')\nprint(input('? ') if 0 else '')\n",
    )
    done = run("upper.py", folder=tmp_path, given="a\nb\n")
    assert done.stdout == python("upper.py", folder=tmp_path, given="a\nb\n").stdout == "A\nB\n\n"


def test_the_program_can_be_pickled_from_and_imported_by_its_processes(tmp_path: Path) -> None:
    script = """
        import multiprocessing, pickle, sqlite3

        class Row:
            pass

        def ask(number):
            return sqlite3.connect(":memory:").execute("SELECT ?", (number,)).fetchone()[0]

        if __name__ == "__main__":
            print(type(pickle.loads(pickle.dumps(Row()))) is Row)
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    print(method, pool.map(ask, range(3)))
            ask(1)
    """
    write(tmp_path, "pool.py", script)
    done = run("pool.py", folder=tmp_path)
    assert done.stdout == "True\nfork [0, 1, 2]\nspawn [0, 1, 2]\n"
    assert done.returncode == 0
    assert report_of(done).startswith("dbprofile command pool.py | 1 query |")
    assert "without what 2 forked processes sent" in report_of(done)


# --- how it ends ----------------------------------------------------------------------------------------------------

ENDINGS = {
    "returns": "print('done')",
    "exits": "raise SystemExit(3)",
    "exits well": "import sys; sys.exit()",
    "exits with a text": "raise SystemExit('not today')",
    "raises": "def deep():\n    1 / 0\n\ndeep()",
    "raises from another": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('é\\x1b') from error",
    "raises a group": "raise ExceptionGroup('all', [ValueError(1), KeyError(2)])",
    "raises no exception": "raise BaseException('even so')",
    "raises our own": "import dbprofile\nraise dbprofile.ConfigurationError('not for the command line')",
    "does not compile": "x = (\n",
    "is interrupted": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)",
    "hooks exceptions": "import sys\nsys.excepthook = lambda k, v, t: print(k, v, t.tb_lineno, t.tb_next)\n1 / 0",
    "fails at exit": "import atexit\natexit.register(lambda: 1 / 0)",
    "fails in a thread": "import threading\nthreading.Thread(target=lambda: 1 / 0).start()",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends_as_it_ends_under_python(ending: str, tmp_path: Path) -> None:
    write(tmp_path, "ends.py", ENDINGS[ending])
    plain = python("ends.py", folder=tmp_path)
    ours = run("ends.py", folder=tmp_path)

    assert ours.returncode == plain.returncode
    assert ours.stdout == plain.stdout
    said, _, report = ours.stderr.partition("dbprofile command ends.py | 0 queries | ")
    assert _without_addresses(said) == _without_addresses(plain.stderr)
    assert report.count("\n") == 1


def _without_addresses(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+", "0x", text)


def test_a_module_that_raises_shows_its_own_lines_alone(tmp_path: Path) -> None:
    write(tmp_path, "package/__init__.py", "")
    write(tmp_path, "package/broken.py", "import json\njson.loads('{')")
    done = run("-m", "package.broken", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f'Traceback (most recent call last):\n  File "{tmp_path}/package/broken.py", line 2, in <module>\n'
    )


def test_a_program_that_leaves_at_once_has_no_report(tmp_path: Path) -> None:
    write(tmp_path, "leaves.py", "import os\nos._exit(5)")
    done = run("leaves.py", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (5, "", "")


def test_a_forked_child_that_runs_to_its_end_reports_nothing(tmp_path: Path) -> None:
    script = """
        import os, sqlite3, sys
        child = os.fork()
        connection = sqlite3.connect(":memory:")
        connection.execute("SELECT 1")
        if child:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        else:
            sys.exit(7)
    """
    write(tmp_path, "forks.py", script)
    done = run("--fail-on", "info", "--json", "forks.json", "forks.py", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "7\n")
    assert done.stderr.count("dbprofile command") == 1
    assert "without what 1 forked process sent" in done.stderr
    assert json.loads((tmp_path / "forks.json").read_text())["query_count"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_programs(number: signal.Signals, tmp_path: Path) -> None:
    script = """
        import signal, sys, time

        def stop(number, frame):
            print("stopping")
            sys.exit(4)

        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        time.sleep(60)
    """
    write(tmp_path, "waits.py", script)
    command = [sys.executable, "-m", "dbprofile", "run", "waits.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "stopping\n")
    assert err.startswith("dbprofile command waits.py | 0 queries |")


# --- what is reported -----------------------------------------------------------------------------------------------

SHOP = """
    import sys
    from sqlalchemy import ForeignKey, create_engine, select
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

    class Base(DeclarativeBase):
        pass

    class Customer(Base):
        __tablename__ = "customer"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
        customer: Mapped[Customer] = relationship()

    def main(url):
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            session.add_all(Order(customer=Customer(name=f"customer {n}")) for n in range(20))
            session.commit()
        with Session(engine) as session:
            names = [order.customer.name for order in session.scalars(select(Order))]
        print(len(names))
        engine.dispose()

    if __name__ == "__main__":
        main(sys.argv[1])
"""
CURE = "fix  shop.py:27   select(Order).options(joinedload(Order.customer))"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write(tmp_path, "shop.py", SHOP)
    write(tmp_path, "pyproject.toml", "")
    return tmp_path


def test_a_plain_script_with_sqlalchemy_is_seen_and_cured(shop: Path) -> None:
    done = run("shop.py", "sqlite://", folder=shop)
    assert (done.returncode, done.stdout) == (0, "20\n")
    report = report_of(done)
    assert re.match(
        r"dbprofile command shop\.py sqlite:// \| \d+ queries \| db .* \| 1 finding +#1\n\n  N\+1   20 queries", report
    )
    assert CURE in report


@pytest.mark.service("postgresql")
def test_on_a_server_each_statement_of_an_orm_is_one_query_and_the_password_is_nobodys(shop: Path) -> None:
    with services.temporary_database("postgresql", shop) as database:
        url = database.sqlalchemy_url("psycopg").replace("postgres@", "postgres:hunter2@")
        done = run("--json", "shop.json", "shop.py", url, folder=shop)
    assert (done.returncode, done.stdout) == (0, "20\n"), done.stderr
    saved = (shop / "shop.json").read_text()
    assert "hunter2" not in saved + done.stderr
    report = json.loads(saved)
    assert report["name"] == f"shop.py postgresql+psycopg://***@{database.host}:{database.port}/{database.name}"
    assert [finding["relation"] for finding in report["findings"]] == ["Order.customer"]
    asked = [statement for statement in report["statements"] if statement["text"].startswith("SELECT orders.id")]
    assert [statement["count"] for statement in asked] == [1]


def test_a_raw_driver_is_seen_in_threads_and_exit_handlers_too(tmp_path: Path) -> None:
    script = """
        import atexit, sqlite3, threading

        def ask():
            connection = sqlite3.connect(":memory:")
            connection.execute("SELECT 1")
            connection.close()

        go_on = threading.Event()
        threading.Thread(target=lambda: (go_on.wait(), ask())).start()
        atexit.register(ask)
        ask()
        go_on.set()
    """
    write(tmp_path, "asks.py", script)
    assert report_of(run("asks.py", folder=tmp_path)).startswith("dbprofile command asks.py | 3 queries |")


def test_a_script_that_configures_django_itself_is_seen(tmp_path: Path) -> None:
    script = """
        import django
        from django.conf import settings

        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        )
        django.setup()
        from django.contrib.auth.models import Permission
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        for permission in Permission.objects.all():
            print(permission.content_type.model)
    """
    write(tmp_path, "permissions.py", script)
    done = run("permissions.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'try  permissions.py:14   Permission.objects.all().select_related("content_type")' in report_of(done)


def test_tests_are_told_apart_and_pytest_sums_them_up_as_ever(tmp_path: Path) -> None:
    script = """
        import sqlite3
        import pytest

        connection = sqlite3.connect(":memory:")

        @pytest.mark.parametrize("number", range(8))
        def test_one(number):
            assert connection.execute("SELECT ?", (number,)).fetchone() == (number,)

        def test_end():
            connection.close()
    """
    write(tmp_path, "test_asks.py", script)
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "queries: 8 in 9 tests" in done.stdout
    report = report_of(done)
    assert "| 8 queries |" in report
    assert "DBP" not in report  # eight tests that ask the same are no loop


def test_the_report_is_json_where_it_is_asked_for(shop: Path) -> None:
    done = run("--json", "reports.json", "shop.py", "sqlite://", "--token=abc", folder=shop)
    report = json.loads((shop / "reports.json").read_text())
    assert (report["dbprofile"], report["kind"], report["name"]) == (1, "command", "shop.py sqlite:// --token=***")
    assert f"{report['query_count']} queries" in report_of(done)
    assert report["labels"] == {}


def test_an_exception_is_noted_by_its_class(tmp_path: Path) -> None:
    write(tmp_path, "raises.py", "raise ValueError('secret')")
    run("--json", "raises.json", "raises.py", folder=tmp_path)
    saved = (tmp_path / "raises.json").read_text()
    assert json.loads(saved)["labels"] == {"error.type": "ValueError"}
    assert "secret" not in saved


def test_findings_fail_a_run_that_would_have_been_fine(shop: Path) -> None:
    done = run("--fail-on", "dbp101,DBP2xx", "shop.py", "sqlite://", folder=shop)
    assert (done.returncode, done.stdout) == (1, "20\n")
    assert done.stderr.endswith("\ndbprofile: failed by --fail-on dbp101,DBP2xx: 1 finding (DBP101)\n")


@pytest.mark.parametrize("gate", ["DBP2xx", "DBP111", ""])
def test_other_findings_do_not_fail_it(gate: str, shop: Path) -> None:
    assert run("--fail-on", gate, "shop.py", "sqlite://", folder=shop).returncode == 0


def test_a_run_that_fails_keeps_its_own_exit_code(shop: Path) -> None:
    write(shop, "fails.py", "import shop\nshop.main('sqlite://')\nraise SystemExit(9)")
    assert run("--fail-on", "warning", "fails.py", folder=shop).returncode == 9


def test_what_the_program_logged_and_printed_is_there_when_findings_fail_it(shop: Path) -> None:
    script = """
        import logging, logging.handlers, shop
        target = logging.FileHandler("log.txt")
        logging.getLogger().addHandler(logging.handlers.MemoryHandler(1000, target=target))
        shop.main("sqlite://")
        logging.getLogger("shop").error("kept")
        print("no end of line", end="")
    """
    write(shop, "logs.py", script)
    done = run("--fail-on", "info", "logs.py", folder=shop)
    assert (done.returncode, done.stdout) == (1, "20\nno end of line")
    assert (shop / "log.txt").read_text() == "kept\n"


def test_a_baseline_is_made_kept_and_shrunk(shop: Path) -> None:
    gate = ("--baseline", "known.jsonl", "--fail-on", "info")
    assert run(*gate, "shop.py", "sqlite://", folder=shop).returncode == 2
    made = run(*gate, "--accept", "shop.py", "sqlite://", folder=shop)
    assert made.returncode == 0
    assert "dbprofile: 1 finding in known.jsonl" in made.stderr

    kept = run(*gate, "shop.py", "sqlite://", folder=shop)
    assert kept.returncode == 0
    assert "DBP101" not in kept.stderr

    write(shop, "cured.py", "print(1)")
    gone = run(*gate, "cured.py", folder=shop)
    assert (
        "dbprofile: 1 entry of known.jsonl matched nothing; --shrink takes them out\n  DBP101 Order.customer, "
        in gone.stderr
    )
    assert "0 findings in known.jsonl" in run(*gate, "--shrink", "cured.py", folder=shop).stderr
    assert run(*gate, "shop.py", "sqlite://", folder=shop).returncode == 1


def test_what_silences_nothing_is_listed_where_all_was_asked(shop: Path) -> None:
    settings = """
        [[tool.dbprofile.ignore]]
        code = "DBP101"
        relation = "Book.*"
        reason = "moved"
    """
    write(shop, "pyproject.toml", settings)
    source = (shop / "shop.py").read_text()
    (shop / "shop.py").write_text(source.replace("print(len(names))", "print(len(names))  # dbprofile: ignore[DBP201]"))
    line = source[: source.index("print(len(names))")].count("\n") + 1

    assert "silenced nothing" not in run("shop.py", "sqlite://", folder=shop).stderr
    done = run("--stale", "shop.py", "sqlite://", folder=shop)
    assert done.stderr.endswith(
        "\ndbprofile: silenced nothing in this run, 2 entries:\n"
        "  settings ignore[0] matched nothing\n"
        f"  shop.py:{line} matched nothing\n"
    )


def test_a_run_that_fails_changes_no_baseline(shop: Path) -> None:
    write(shop, "fails.py", "import shop\nshop.main('sqlite://')\nraise SystemExit(9)")
    assert run("--baseline", "known.jsonl", "--accept", "fails.py", folder=shop).returncode == 9
    assert not (shop / "known.jsonl").exists()


def test_settings_of_the_project_hold(shop: Path) -> None:
    write(shop, "pyproject.toml", "[tool.dbprofile]\nrules_off = ['DBP101']\n")
    assert "DBP101" not in run("shop.py", "sqlite://", folder=shop).stderr


def test_colour_is_chosen_on_the_command_line(shop: Path) -> None:
    assert "\x1b[" in run("--color", "shop.py", "sqlite://", folder=shop).stderr
    assert "\x1b[" not in run("--no-color", "shop.py", "sqlite://", folder=shop, FORCE_COLOR="1").stderr


def test_quiet_where_all_is_well_if_findings_alone_are_wanted(shop: Path) -> None:
    write(shop, "well.py", "print(1)")
    assert run("well.py", folder=shop, DBPROFILE="findings").stderr == ""
    assert "DBP101" in run("shop.py", "sqlite://", folder=shop, DBPROFILE="findings").stderr


def test_switched_off_the_program_runs_alone(shop: Path) -> None:
    done = run("--fail-on", "info", "--json", "off.json", "shop.py", "sqlite://", folder=shop, DBPROFILE="0")
    assert (done.returncode, done.stdout) == (0, "20\n")
    assert done.stderr == "dbprofile is switched off: nothing is counted\n"
    assert not (shop / "off.json").exists()


def test_a_report_that_nobody_can_read_any_more_is_no_error(shop: Path) -> None:
    script = "import os, shop\nshop.main('sqlite://')\nos.close(2)\n"
    write(shop, "closes.py", script)
    assert run("closes.py", folder=shop).returncode == python("closes.py", folder=shop).returncode


# --- mistakes and faults --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no program given"),
        (("--",), "no program given"),
        (("python",), "no program given"),
        (("-m",), "-m without a module"),
        (("missing.py",), "there is no file and no command 'missing.py'"),
        (("no/such/file.py",), "there is no file and no command 'no/such/file.py'"),
        (("nowhere",), "the folder nowhere holds no __main__.py"),
        (("-m", "no_such_module"), "there is no module 'no_such_module' here"),
        (("--", "-u", "facts.py"), "`python -u -m dbprofile run …`"),
        (("shell-script",), "is no program of Python's"),
        (("--fail-on", "DBP999", "facts.py"), "'DBP999' is no code of a finding"),
        (("--fail-on", "N+1", "facts.py"), "families as DBP1xx, and info, warning, critical"),
        (("--json", "no/such/folder.json", "facts.py"), "cannot write"),
        (("--baseline", "none.jsonl", "facts.py"), "there is no baseline"),
        (("--accept", "facts.py"), "name it with --baseline FILE"),
        (("--unknown", "facts.py"), "unrecognized arguments: --unknown"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(
    programs: Path,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = programs / "commands"
    write(commands, "shell-script", "#!/bin/sh\nexec true 'a b' && done\n")
    (commands / "shell-script").chmod(0o755)
    monkeypatch.setenv("PATH", str(commands))
    monkeypatch.chdir(programs)
    monkeypatch.setattr(sys, "argv", [*sys.argv])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as stopped:
        sys.exit(main(["run", *words]))
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_a_wrong_setting_is_told_before_anything_runs(shop: Path) -> None:
    write(shop, "pyproject.toml", "[tool.dbprofile]\nslow_mss = 3\n")
    done = run("shop.py", "sqlite://", folder=shop)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'slow_ms'?" in done.stderr


@pytest.mark.parametrize("places", [["begin"], ["_closed"], ["_print", "_save", "_update_baseline", "_refusal"]])
def test_a_fault_of_ours_changes_neither_output_nor_exit_code(places: list[str], shop: Path) -> None:
    program = f"""
        import sys
        from dbprofile.cli import main
        from dbprofile.guard import guarded
        from dbprofile.programs.profiled import ProfiledCommand

        def fail(*_arguments):
            raise RuntimeError("of ours")

        for place in {places}:
            setattr(ProfiledCommand, place, guarded(f"fault in {{place}}", None)(fail))
        sys.exit(main(["run", "--json", "report.json", "--baseline", "b.jsonl", "--accept", "shop.py", "sqlite://"]))
    """
    write(shop, "faulty.py", program)
    done = python("faulty.py", folder=shop)
    assert (done.returncode, done.stdout) == (0, "20\n")
    assert all(f"fault in {place} failed with RuntimeError" in done.stderr for place in places)
