import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
from asgiref.wsgi import WsgiToAsgi
from flask import Blueprint, Flask, Response, copy_current_request_context, request, send_file, stream_with_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, text
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import EnvironBuilder, run_wsgi_app

import dbprofile_flask.scopes
import dbprofile_sqlalchemy
import dbprofile_wsgi
from dbprofile import (
    ConfigurationError,
    Profile,
    Profiler,
    Report,
    Scope,
    current_scope,
    default_profiler,
    record,
    set_default_profiler,
)
from dbprofile.output.renderers import json as json_renderer
from dbprofile.testing.suite import Call, Handle, RequestsContract
from dbprofile_flask import DBProfile
from tests.exchanges import Answer, visit
from tests.sources import Connection, shop

pytestmark = pytest.mark.usefixtures("no_default")

by_hand = Profiler()


@pytest.fixture
def no_default() -> Iterator[None]:
    set_default_profiler(None)
    yield
    set_default_profiler(None)


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def profiler(reports: list[Report]) -> Profiler:
    return Profiler(sinks=[reports.append])


@pytest.fixture
def database() -> Iterator[Connection]:
    with shop() as connection:
        yield connection


@pytest.fixture
def app(profiler: Profiler) -> Flask:
    app = Flask("shop")
    DBProfile(app, profiler=profiler)
    return app


def get(app: Flask, path: str = "/", method: str = "GET") -> tuple[bytes, str, list[tuple[str, str]]]:
    """A response as a server gets it: read to its end, and closed."""
    body, status, headers = run_wsgi_app(app, EnvironBuilder(path=path, method=method).get_environ(), buffered=True)
    return b"".join(body), status, list(headers)


def profiles(reports: list[Report]) -> list[Profile]:
    return [report.profile for report in reports]


# --- the contract of every adapter with requests --------------------------------------------------------------------


class TestContract(RequestsContract):
    modules = (dbprofile_flask.scopes,)
    name = "GET /orders/<int:number>"
    pattern = "/orders/<int:number>"
    testing = False

    @contextmanager
    def serve(self, handle: Handle, settings: Mapping[str, Any] | None) -> Iterator[Call]:
        app = Flask("shop")
        app.testing = self.testing
        if settings is not None:
            DBProfile(app, **settings)

        @app.get("/orders/<int:number>")
        def order(number: int) -> Response:
            reply = handle(number)
            response = Response(reply.text if reply.chunks is None else self.body(reply.chunks), reply.status)
            if reply.after is not None:
                response.call_on_close(reply.after)
            return response

        def call(number: int, method: str = "GET", chunks: int | None = None) -> Answer:
            return visit(app, f"/orders/{number}", method, chunks=chunks)

        yield call

    def body(self, chunks: Iterable[str]) -> Iterable[str]:
        return chunks


class TestContractWhereExceptionsPass(TestContract):
    testing = True


class TestContractOfBodiesWithContext(TestContract):
    def body(self, chunks: Iterable[str]) -> Iterable[str]:
        def within() -> Iterator[str]:
            try:
                for chunk in chunks:
                    assert request.path.startswith("/orders/")
                    yield chunk
            finally:
                close: Any = getattr(chunks, "close", int)
                close()

        return stream_with_context(within())


# --- names and labels -----------------------------------------------------------------------------------------------


def test_a_request_is_named_by_its_rule(app: Flask, reports: list[Report]) -> None:
    orders = Blueprint("orders", "orders", url_prefix="/orders")

    @orders.get("/<int:number>")
    def order(number: int) -> str:
        return str(number)

    app.register_blueprint(orders)
    assert get(app, "/orders/7")[0] == b"7"

    (profile,) = profiles(reports)
    assert (profile.kind, profile.name) == ("request", "GET /orders/<int:number>")
    assert profile.labels == {
        "http.request.method": "GET",
        "http.route": "/orders/<int:number>",
        "http.response.status_code": 200,
    }


def test_an_unknown_path_is_shown_but_is_no_route(app: Flask, reports: list[Report]) -> None:
    assert get(app, "/nothing/7")[1] == "404 NOT FOUND"

    (profile,) = profiles(reports)
    assert profile.name == "GET /nothing/7"
    assert profile.labels == {"http.request.method": "GET", "http.response.status_code": 404}


def test_head_and_refused_methods_are_ordinary_requests(app: Flask, reports: list[Report]) -> None:
    app.get("/x")(lambda: "body")
    assert get(app, "/x", "HEAD")[0] == b""
    assert get(app, "/x", "DELETE")[1] == "405 METHOD NOT ALLOWED"

    assert [(profile.name, profile.labels["http.response.status_code"]) for profile in profiles(reports)] == [
        ("HEAD /x", 200),
        ("DELETE /x", 405),
    ]


def test_two_applications_in_one_process_are_told_apart(profiler: Profiler, reports: list[Report]) -> None:
    outer, inner = Flask("outer"), Flask("inner")
    for app in (outer, inner):
        DBProfile(app, profiler=profiler)
        app.get("/<name>")(lambda name: name)
    mounted = DispatcherMiddleware(outer, {"/inner": inner})
    for path in ("/a", "/inner/b"):
        run_wsgi_app(mounted, EnvironBuilder(path=path).get_environ(), buffered=True)

    assert [profile.name for profile in profiles(reports)] == ["GET /<name>", "GET /<name>"]


def test_middleware_round_the_application_leaves_it_one_request_with_its_rule(
    app: Flask, profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    @app.get("/orders/<int:number>")
    def order(number: int) -> str:
        return str(database.execute(f"SELECT {number} FROM orders").fetchone()[0])

    wrapped = dbprofile_wsgi.ProfileMiddleware(app, profiler=profiler)
    body, _, _ = run_wsgi_app(wrapped, EnvironBuilder(path="/orders/7").get_environ(), buffered=True)
    assert b"".join(body) == b"7"

    assert [(profile.name, profile.query_count) for profile in profiles(reports)] == [("GET /orders/<int:number>", 1)]


# --- statements and bodies ------------------------------------------------------------------------------------------


def test_statements_belong_to_the_request_from_its_first_function_to_its_teardown(
    app: Flask, reports: list[Report], database: Connection
) -> None:
    app.before_request(lambda: database.execute("SELECT 'before' FROM orders") and None)
    app.teardown_request(lambda error: database.execute("SELECT 'teardown' FROM orders") and None)

    @app.get("/")
    def view() -> str:
        database.execute("SELECT 'view' FROM orders")
        return "x"

    get(app)

    (profile,) = profiles(reports)
    assert [query.sql.split("'")[1] for query in profile.queries] == ["before", "view", "teardown"]
    assert current_scope() is None


def test_what_a_streamed_body_does_is_streaming(app: Flask, reports: list[Report], database: Connection) -> None:
    def rows() -> Iterator[str]:
        for _ in range(2):
            database.execute("SELECT 'row' FROM orders")
            yield f"{request.path}\n" if flask.has_request_context() else "row\n"

    @app.get("/plain")
    def plain() -> Response:
        database.execute("SELECT 'view' FROM orders")
        return Response(rows())

    @app.get("/context")
    def in_context() -> Response:
        database.execute("SELECT 'view' FROM orders")
        return Response(stream_with_context(rows()))

    assert get(app, "/plain")[0] == b"row\nrow\n"
    assert get(app, "/context")[0] == b"/context\n/context\n"

    for profile in profiles(reports):
        assert [query.phase for query in profile.queries] == ["handling", "streaming", "streaming"]


def test_an_asynchronous_server_is_told_of_each_request(
    app: Flask, reports: list[Report], database: Connection
) -> None:
    app.get("/")(lambda: str(database.execute("SELECT 7 FROM orders").fetchone()[0]))

    async def visit() -> str:
        adapter: Any = WsgiToAsgi  # untyped
        transport = httpx.ASGITransport(adapter(app))  # as Flask's documentation tells to
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return (await client.get("/")).text

    assert [asyncio.run(visit()), asyncio.run(visit())] == ["7", "7"]
    assert [profile.query_count for profile in profiles(reports)] == [1, 1]


def test_a_file_reaches_the_server_as_it_is(app: Flask, reports: list[Report]) -> None:
    class FileWrapper:
        def __init__(self, file: BytesIO, size: int = 0) -> None:
            self.file = file

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.file)

    app.get("/")(lambda: send_file(BytesIO(b"file"), mimetype="text/plain"))
    environ = EnvironBuilder().get_environ() | {"wsgi.file_wrapper": FileWrapper}
    body = app.wsgi_app(environ, lambda status, headers, exc_info=None: lambda data: None)

    assert type(body) is FileWrapper
    assert len(reports) == 1


# --- exceptions -----------------------------------------------------------------------------------------------------


def failing(app: Flask, database: Connection, error: Exception) -> None:
    @app.get("/<int:number>")
    def view(number: int) -> str:
        database.execute("SELECT 1 FROM orders")
        raise error


def test_an_exception_that_flask_answers_is_its_status(
    app: Flask, reports: list[Report], database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    failing(app, database, LookupError("who"))
    assert get(app, "/7")[1] == "500 INTERNAL SERVER ERROR"

    (profile,) = profiles(reports)
    assert (profile.name, profile.query_count) == ("GET /<int:number>", 1)
    assert profile.labels["http.response.status_code"] == 500


# --- when it settles ------------------------------------------------------------------------------------------------


class Course:
    """A sink that writes down what it is told, and when."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, report: Report) -> None:
        self.told.append(f"told {report.profile.query_count}")

    def unit_done(self, scope: Scope) -> None:
        self.told.append(f"settled with {scope.profile().query_count}")


def profiled_by(course: Course) -> Flask:
    app = Flask("shop")
    app.teardown_request(lambda error: course.told.append("registered before us"))
    DBProfile(app, profiler=Profiler(sinks=[course]))
    app.teardown_request(lambda error: course.told.append("registered after us"))
    return app


def test_a_request_settles_in_teardown_before_what_was_registered_before(database: Connection) -> None:
    course = Course()
    app = profiled_by(course)

    @app.get("/")
    def view() -> str:
        database.execute("SELECT 1 FROM orders")
        return "x"

    get(app)

    assert course.told == ["registered after us", "settled with 1", "registered before us", "told 1"]


def test_a_copied_request_context_does_not_settle_the_request(database: Connection) -> None:
    course = Course()
    app = profiled_by(course)

    @app.get("/")
    def view() -> str:
        @copy_current_request_context
        def elsewhere() -> str:
            return request.path

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(elsewhere).result() == "/"
        elsewhere()
        database.execute("SELECT 1 FROM orders")
        return "x"

    get(app)

    assert [word for word in course.told if "registered" not in word] == ["settled with 1", "told 1"]


def test_a_request_goes_on_after_a_thread_with_its_context_has_been_torn_down(
    app: Flask, reports: list[Report], database: Connection
) -> None:
    torn_down: list[str] = []
    app.teardown_request(lambda error: torn_down.append(threading.current_thread().name))
    app.get("/plain")(lambda: str(database.execute("SELECT 'plain' FROM orders").fetchone()[0]))

    @app.get("/orders/<int:number>")
    def order(number: int) -> str:
        answers = [database.execute("SELECT 'before' FROM orders").fetchone()[0]]

        @copy_current_request_context
        def confirm() -> None:
            answers.append(request.path)
            answers.extend(database.execute("SELECT 'inside' FROM orders").fetchone()[0] for _ in range(3))

        thread = threading.Thread(target=confirm, name="confirm")
        thread.start()
        thread.join()
        answers.append(database.execute("SELECT 'after' FROM orders").fetchone()[0])
        return " ".join(answers)

    assert get(app, "/orders/7")[0] == b"before /orders/7 inside inside inside after"
    assert "confirm" in torn_down
    assert get(app, "/plain")[0] == b"plain"

    assert [(profile.name, profile.query_count, dict(profile.untracked)) for profile in profiles(reports)] == [
        ("GET /orders/<int:number>", 2, {"confirm": 3}),
        ("GET /plain", 1, {}),
    ]


def test_a_context_without_a_request_is_no_request(app: Flask, reports: list[Report], database: Connection) -> None:
    app.get("/")(lambda: "x")
    with record("block", profiler=Profiler()) as recording:
        with app.test_request_context("/"):
            database.execute("SELECT 1 FROM orders")
        with app.app_context():
            database.execute("SELECT 2 FROM orders")

    assert recording.query_count == 2
    assert reports == []


def test_an_exception_that_passes_settles_in_teardown(database: Connection) -> None:
    course = Course()
    app = profiled_by(course)
    app.testing = True
    failing(app, database, LookupError())
    with pytest.raises(LookupError):
        get(app, "/7")

    assert course.told == ["registered after us", "settled with 1", "registered before us", "told 1"]


# --- nesting --------------------------------------------------------------------------------------------------------


def test_the_test_client_and_a_preserved_context_work(app: Flask, reports: list[Report], database: Connection) -> None:
    @app.get("/")
    def view() -> str:
        database.execute("SELECT 1 FROM orders")
        return "x"

    with app.test_client() as client, record("test", profiler=Profiler()) as recording:
        assert client.get("/").data == b"x"
        assert request.path == "/"
        assert client.get("/").data == b"x"
        assert recording.query_count == 2

    assert [profile.query_count for profile in profiles(reports)] == [1, 1]


# --- many at once, and over a socket --------------------------------------------------------------------------------


def number_statements(app: Flask, database: Connection, wait: Callable[[], object] = lambda: None) -> None:
    """Statements that carry the number of their request, in the view and in a streamed body."""

    @app.get("/<kind>/<int:number>")
    def view(kind: str, number: int) -> Response:
        wait()
        for _ in range(5):
            database.execute(f"SELECT 1 FROM orders WHERE id = {number}")
        return Response(rows(number) if kind == "stream" else str(number))

    def rows(number: int) -> Iterator[str]:
        for _ in range(5):
            database.execute(f"SELECT 1 FROM orders WHERE id = {number}")
            yield str(number)

    @app.get("/fails")
    def fails() -> str:
        raise LookupError


def test_fifty_requests_at_once_have_their_own_statements(app: Flask, reports: list[Report], tmp_path: Any) -> None:
    together = threading.Barrier(10, timeout=30)
    with shop() as database:
        number_statements(app, database, together.wait)

        def one(number: int) -> None:
            kind = "stream" if number % 2 else "text"
            body, status, _ = get(app, f"/{kind}/{number}")
            assert (body, status) == (str(number).encode() * (5 if number % 2 else 1), "200 OK")

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(one, range(50)))

    texts = [{query.sql for query in profile.queries} for profile in profiles(reports)]
    assert {len(found) for found in texts} == {1}
    assert set().union(*texts) == {f"SELECT 1 FROM orders WHERE id = {number}" for number in range(50)}
    assert sorted(profile.query_count for profile in profiles(reports)) == [5] * 25 + [10] * 25


class Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *arguments: object) -> None:  # noqa: A002 - the name is the base class's
        pass


def test_a_server_sees_the_same_bytes(app: Flask, reports: list[Report], database: Connection) -> None:
    answers = []
    for served in (Flask("shop"), app):
        number_statements(served, database)
        server = make_server("127.0.0.1", 0, served, threaded=True, request_handler=Quiet)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as http:
                responses = [http.get(path) for path in ("/text/1", "/stream/2", "/nothing")]
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        headers = [[header for header in r.headers.multi_items() if header[0] != "date"] for r in responses]
        answers.append([(r.status_code, head, r.content) for r, head in zip(responses, headers, strict=True)])

    assert answers[0] == answers[1]
    assert sorted(profile.query_count for profile in profiles(reports)) == [0, 5, 10]


def test_flask_sqlalchemy_is_seen_and_not_needed(app: Flask, reports: list[Report]) -> None:
    dbprofile_sqlalchemy.install()
    try:
        app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
        database = SQLAlchemy(app)
        engine = create_engine("sqlite://")

        @app.get("/with")
        def through_flask_sqlalchemy() -> str:
            return str(database.session.execute(text("SELECT 1")).scalar())

        @app.get("/without")
        def through_an_engine() -> str:
            with engine.connect() as connection:
                return str(connection.execute(text("SELECT 2")).scalar())

        assert (get(app, "/with")[0], get(app, "/without")[0]) == (b"1", b"2")
        engine.dispose()
        with app.app_context():
            database.engine.dispose()
    finally:
        dbprofile_sqlalchemy.uninstall()

    assert [(profile.name, profile.query_count) for profile in profiles(reports)] == [
        ("GET /with", 1),
        ("GET /without", 1),
    ]


# --- switches and settings ------------------------------------------------------------------------------------------


def configured(**config: object) -> Flask:
    app = Flask("shop")
    app.config.update(config)
    DBProfile(app)
    return app


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"DBPROFILE_SLOW_MSS": 5}, r"unknown setting 'slow_mss'\. Did you mean 'slow_ms'.*DBPROFILE_SLOW_MS"),
        ({"DBPROFILE_SLOW_MS": "5"}, "slow_ms='5' is of the wrong type"),
        ({"DBPROFILE_PROFILER": "nowhere.profiler"}, "DBPROFILE_PROFILER='nowhere.profiler' cannot be imported"),
        ({"DBPROFILE_PROFILER": "flask.profiler"}, "DBPROFILE_PROFILER='flask.profiler' cannot be imported"),
        ({"DBPROFILE_PROFILER": "no path"}, "DBPROFILE_PROFILER='no path' cannot be imported"),
        ({"DBPROFILE_PROFILER": 5}, "profiler=5 is no Profiler"),
        ({"DBPROFILE_PROFILER": by_hand, "DBPROFILE_SLOW_MS": 5}, "slow_ms would be ignored beside profiler="),
    ],
)
def test_a_wrong_setting_is_refused_at_set_up(config: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        configured(**config)


def test_a_wrong_keyword_is_refused_at_set_up() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown setting 'slow_mss'\. Did you mean 'slow_ms'"):
        DBProfile(Flask("shop"), slow_mss=5)


def test_an_application_is_set_up_once(app: Flask) -> None:
    with pytest.raises(ConfigurationError, match="is set up already"):
        DBProfile(app)


def test_keywords_are_defaults_for_the_config_of_each_application() -> None:
    extension = DBProfile(slow_ms=20, detail_limit=7)
    first, second = Flask("first"), Flask("second")
    second.config["DBPROFILE_SLOW_MS"] = 30
    for app in (first, second):
        extension.init_app(app)

    settings = [app.extensions["dbprofile"].settings for app in (first, second)]
    assert [(found.slow_seconds, found.detail_limit) for found in settings] == [(0.02, 7), (0.03, 7)]
    assert first.config["DBPROFILE_SLOW_MS"] == 20


def test_a_profiler_is_found_by_its_dotted_path() -> None:
    app = configured(DBPROFILE_PROFILER=f"{__name__}.by_hand")

    assert app.extensions["dbprofile"] is by_hand


def test_a_profiler_without_settings_is_the_default_one(reports: list[Report]) -> None:
    default_profiler().add_sink(reports.append)
    get(configured())

    assert len(reports) == 1


@pytest.mark.parametrize("how", ["environment", "config"])
def test_switched_off_the_application_is_untouched(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "environment":
        monkeypatch.setenv("DBPROFILE", "0")
    app = configured(DBPROFILE_DEBUG=True, **({} if how == "environment" else {"DBPROFILE_ENABLED": False}))

    assert app.extensions["dbprofile"] is None
    assert app.wsgi_app == Flask.wsgi_app.__get__(app)
    assert app.teardown_request_funcs == {}


def test_the_console_follows_the_debug_flag_of_the_first_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dbprofile")
    quiet = configured()
    get(quiet, "/quiet")
    quiet.debug = True
    get(quiet, "/later")
    assert caplog.text == ""

    app = configured(DBPROFILE_SLOW_MS=50)
    app.debug = True
    get(app, "/told")
    get(app, "/told/again")

    assert [record.name for record in caplog.records] == ["dbprofile", "dbprofile"]
    assert "GET /told 404" in caplog.text


def test_without_a_listener_nothing_is_opened_but_within_a_scope_it_is(database: Connection) -> None:
    scopes: list[Scope | None] = []
    app = configured()

    @app.get("/")
    def view() -> str:
        scopes.append(current_scope())
        return "x"

    get(app)
    with Profiler().scope("test", "t", reach="process") as scope:
        get(app)

    assert scopes[0] is None
    assert scopes[1] is not None
    assert scopes[1].outer is scope


# --- flask dbprofile ----------------------------------------------------------------------------------------------------


def test_saved_reports_are_shown_and_listed_by_commands_of_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    app = Flask(__name__)
    DBProfile(app, profiler=by_hand)
    (tmp_path / "page.json").write_text(json_renderer.render([Report(Profile("request", "GET /", 4, seconds=0.01))]))

    def called(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as stopped:
            app.cli.main(["dbprofile", *words], prog_name="flask")
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out + captured.err

    assert called("report", "page.json", "--no-color")[1].startswith("dbprofile GET / | 0 queries | 10 ms")
    assert called("findings", "page.json") == (0, "0 findings\n")
    assert called("report", "missing.json") == (
        2,
        "dbprofile: cannot read missing.json: No such file or directory\n",
    )
    code, usage = called("--help")
    assert (code, usage.splitlines()[0]) == (0, "usage: flask dbprofile [-h] [--version] VERB ...")
