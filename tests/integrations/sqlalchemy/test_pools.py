"""What connections do is heard while a rule asks for it, and not a moment longer."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, QueuePool, create_engine, event, text
from sqlalchemy.engine import RootTransaction
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

import dbprofile_sqlalchemy
from dbprofile import Finding, Profiler, record
from dbprofile.capture.connection import Connection
from dbprofile.rules import ConnectionChurn, HeldConnection, IdleTransaction, Rule
from dbprofile_sqlalchemy import pools

RULES: tuple[Rule, ...] = (IdleTransaction(ms=0), HeldConnection(ms=0), ConnectionChurn())


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    dbprofile_sqlalchemy.install()
    yield
    dbprofile_sqlalchemy.uninstall()


@pytest.fixture
def profiler() -> Iterator[Profiler]:
    with Profiler(rules=RULES) as profiler:
        yield profiler


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", poolclass=QueuePool)
    with engine.connect():
        pass  # opened before anybody looks
    yield engine
    engine.dispose()


def ask(session: Session) -> None:
    session.execute(text("SELECT 1 FROM sqlite_master")).all()


def connections(block: Callable[[], object], profiler: Profiler) -> list[Connection]:
    with record("block", profiler=profiler) as recording:
        block()
    return list(recording.report.profile.connections)


def heard() -> bool:
    return event.contains(Pool, "checkout", pools._checkout)


def test_nobody_listens_while_no_rule_asks() -> None:
    methods = {name: getattr(RootTransaction, name) for name in ("__init__", "commit", "rollback", "close")}
    Profiler()
    assert not heard()
    with Profiler(rules_on=["DBP402"]):
        assert heard()
        assert RootTransaction.commit is not methods["commit"]
        with Profiler(rules=[HeldConnection()]):
            pass
        assert heard()  # the other one still asks
    assert not heard()
    assert {name: getattr(RootTransaction, name) for name in methods} == methods
    assert not {"commit", "rollback", "close"} & set(vars(RootTransaction))


@pytest.mark.usefixtures("profiler")
def test_they_listen_where_the_adapter_is_installed_after_the_rule_asked() -> None:
    dbprofile_sqlalchemy.uninstall()
    assert not heard()
    dbprofile_sqlalchemy.install()
    assert heard()


def test_a_transaction_begins_and_ends_with_its_connection_out_of_the_pool(engine: Engine, profiler: Profiler) -> None:
    def work() -> None:
        with Session(engine) as session:
            ask(session)
            session.commit()
            ask(session)
            session.rollback()
        with engine.begin() as connection, connection.begin_nested():
            connection.execute(text("SELECT 2 FROM sqlite_master"))

    (connection,) = connections(work, profiler)

    assert connection.opened == []
    assert len(connection.transactions) == len(connection.held) == 3
    spans = zip(connection.held, connection.transactions, strict=True)
    assert all(taken <= begun < over <= back for (taken, back), (begun, over) in spans)


def test_what_is_still_open_lasts_until_the_end_of_the_unit(engine: Engine, profiler: Profiler) -> None:
    with Session(engine) as session:
        (connection,) = connections(lambda: ask(session), profiler)

    ((start, end),) = connection.transactions
    assert end > start


def test_without_a_pool_each_session_opens_a_connection(engine: Engine, profiler: Profiler) -> None:
    poolless = create_engine(engine.url, poolclass=NullPool)

    def work() -> None:
        for _ in range(3):
            with Session(poolless) as session:
                ask(session)

    with record("block", profiler=profiler) as recording:
        work()
    (finding,) = [finding for finding in recording.findings if finding.code == "DBP404"]
    assert finding.message == "3 connections opened, where one would do"


def test_a_request_in_a_test_is_judged_the_same_in_both(engine: Engine) -> None:
    told: list[tuple[str, list[Finding]]] = []
    churn = Profiler(
        rules=[ConnectionChurn()], sinks=[lambda report: told.append((report.profile.kind, list(report.findings)))]
    )
    poolless = create_engine(engine.url, poolclass=NullPool)
    with churn, record("all", profiler=churn) as outer, churn.scope("request", "GET /"):
        for _ in range(2):
            with Session(poolless) as session:
                ask(session)

    assert [(kind, len(findings)) for kind, findings in told] == [("request", 1), ("block", 0)]
    assert [finding.code for finding in outer.findings] == ["DBP404"]
