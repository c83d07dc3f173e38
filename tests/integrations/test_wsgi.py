"""WSGI: the contract of every adapter with requests, names that the application gives, bodies that the server must see as they are."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest

import dbprofile_wsgi.scopes
from dbprofile import Profile, Profiler, Report, current_scope, set_default_profiler
from dbprofile.testing.suite import Call, Handle, Reply, RequestsContract
from dbprofile_wsgi import ProfileMiddleware
from tests.exchanges import Answer, visit
from tests.sources import Connection, shop


class Body:
    """A body that is closed, which is when the rest is done."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._chunks = iter([reply.text] if reply.chunks is None else reply.chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks).encode()

    def close(self) -> None:
        close = getattr(self._reply.chunks, "close", None)
        if close is not None:
            close()
        if self._reply.after is not None:
            self._reply.after()


class TestContract(RequestsContract):
    modules = (dbprofile_wsgi.scopes,)

    @contextmanager
    def serve(self, handle: Handle, settings: Mapping[str, Any] | None) -> Iterator[Call]:
        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            reply = handle(int(environ["PATH_INFO"].rpartition("/")[2]))
            start_response(f"{reply.status} as asked", [("Content-Type", "text/plain")])
            return self.body(reply)

        served: WSGIApplication = app
        if settings is not None:
            served = ProfileMiddleware(app, name=lambda environ: self.pattern, **settings)

        def call(number: int, method: str = "GET", chunks: int | None = None) -> Answer:
            return visit(served, f"/orders/{number}", method, chunks=chunks)

        yield call

    def body(self, reply: Reply) -> Iterable[bytes]:
        return Body(reply)


class TestContractOfLists(TestContract):
    streams = defers = False

    def body(self, reply: Reply) -> Iterable[bytes]:
        return [reply.text.encode()]


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
def no_default() -> Iterator[None]:
    set_default_profiler(None)
    yield
    set_default_profiler(None)


def profiles(reports: list[Report]) -> list[Profile]:
    return [report.profile for report in reports]


def numbered(database: Connection) -> WSGIApplication:
    """Statements that carry the number of their request, before the response and with each of three chunks."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        kind, _, number = environ["PATH_INFO"].strip("/").partition("/")
        if kind == "fails":
            raise LookupError
        for _ in range(2):
            database.execute(f"SELECT 1 FROM orders WHERE id = {number}")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [number.encode()] if kind == "list" else chunks(number)

    def chunks(number: str) -> Iterator[bytes]:
        for _ in range(3):
            database.execute(f"SELECT 1 FROM orders WHERE id = {number}")
            yield number.encode()

    return app


def test_without_a_name_people_see_the_path_and_metrics_the_method(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    visit(ProfileMiddleware(numbered(database), profiler=profiler), "/list/7")

    (profile,) = profiles(reports)
    assert (profile.kind, profile.name, profile.query_count) == ("request", "GET /list/7", 2)
    assert profile.labels == {"http.request.method": "GET", "http.response.status_code": 200}


def test_a_name_is_the_pattern_of_a_route(profiler: Profiler, reports: list[Report], database: Connection) -> None:
    def name(environ: WSGIEnvironment) -> str | None:
        kind = str(environ["PATH_INFO"]).split("/")[1]
        return f"/{kind}/<number>" if kind == "list" else None

    app = ProfileMiddleware(numbered(database), name=name, profiler=profiler)
    visit(app, "/list/7", "HEAD")
    visit(app, "/other/7")

    assert [profile.name for profile in profiles(reports)] == ["HEAD /list/<number>", "GET /other/7"]
    assert [profile.labels.get("http.route") for profile in profiles(reports)] == ["/list/<number>", None]


def test_a_name_that_fails_costs_the_name(
    profiler: Profiler, reports: list[Report], database: Connection, failing_open: None
) -> None:
    def name(environ: WSGIEnvironment) -> str:
        raise LookupError

    assert visit(ProfileMiddleware(numbered(database), name=name, profiler=profiler), "/list/7").chunks == [b"7"]
    assert profiles(reports)[0].name == "GET /list/7"


def test_an_application_that_is_a_generator_begins_with_its_first_chunk(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        database.execute("SELECT 1 FROM orders")
        start_response("202 Accepted", [])
        yield b"x"
        database.execute("SELECT 1 FROM orders")

    visit(ProfileMiddleware(app, profiler=profiler))

    (profile,) = profiles(reports)
    assert [query.phase for query in profile.queries] == ["handling", "streaming"]
    assert profile.labels["http.response.status_code"] == 202


def test_a_file_reaches_the_server_as_it_is(profiler: Profiler, reports: list[Report], tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(b"file")
    with (tmp_path / "file").open("rb") as file:

        def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            start_response("200 OK", [])
            return FileWrapper(file)

        answer = visit(ProfileMiddleware(app, profiler=profiler))

    assert type(answer.body) is FileWrapper
    assert answer.chunks == [b"file"]
    assert len(reports) == 1


def _served_without_close(app: WSGIApplication) -> bytes:
    """As a server does that asks for no more than was promised, and closes nothing."""
    body = b""
    promised: list[int] = []

    def start_response(_status: str, headers: list[tuple[str, str]], *_more: object) -> Callable[[bytes], object]:
        promised.extend(int(value) for name, value in headers if name == "Content-Length")
        return lambda data: None

    environ: WSGIEnvironment = {}
    setup_testing_defaults(environ)
    for part in app(environ, start_response):
        body += part
        if [len(body)] == promised:
            break
    return body


@pytest.mark.parametrize("promised", [["Content-Length"], []])
def test_a_response_that_no_server_closes_is_told_with_its_last_byte(
    profiler: Profiler, reports: list[Report], database: Connection, promised: list[str]
) -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [(name, "6") for name in promised])
        for _ in range(3):
            database.execute("SELECT 1 FROM orders")
            yield b"ab"

    assert _served_without_close(ProfileMiddleware(app, profiler=profiler)) == b"ababab"
    assert [profile.query_count for profile in profiles(reports)] == [3]
    assert current_scope() is None


def test_what_runs_after_the_last_byte_promised_is_background(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("content-length", "2")])
        yield b"ab"
        database.execute("SELECT 1 FROM orders")

    assert visit(ProfileMiddleware(app, profiler=profiler)).chunks == [b"ab"]
    request, background = profiles(reports)
    assert (request.query_count, background.query_count, background.parent) == (0, 1, request.number)


def test_a_length_that_is_no_number_is_the_servers_to_refuse(
    profiler: Profiler, reports: list[Report], failing_open: None
) -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "many")])
        yield b"ab"

    answer = visit(ProfileMiddleware(app, profiler=profiler))
    assert (answer.started, answer.chunks) == ([("200 OK", [("Content-Length", "many")])], [b"ab"])
    assert len(reports) == 1


def test_the_middleware_keeps_to_the_protocol(profiler: Profiler, database: Connection) -> None:
    app = validator(ProfileMiddleware(validator(numbered(database)), profiler=profiler))

    assert visit(app, "/stream/7").chunks == [b"7"] * 3
    assert visit(app, "/list/7").chunks == [b"7"]


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the base class's
        pass


def test_a_server_sees_the_same_bytes(profiler: Profiler, reports: list[Report], database: Connection) -> None:
    answers = []
    for app in (numbered(database), ProfileMiddleware(numbered(database), profiler=profiler)):
        with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as http:
                    responses = [http.get(path) for path in ("/list/1", "/stream/2")]
            finally:
                server.shutdown()
                thread.join()
        headers = [[header for header in r.headers.multi_items() if header[0] != "date"] for r in responses]
        answers.append([(r.status_code, head, r.content) for r, head in zip(responses, headers, strict=True)])

    assert answers[0] == answers[1]
    assert [profile.query_count for profile in profiles(reports)] == [2, 5]


@pytest.mark.usefixtures("no_default")
def test_switched_off_the_application_is_called_with_what_the_server_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBPROFILE", "0")
    given: list[object] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given.append(start_response)
        start_response("200 OK", [])
        return iter([b"x"])

    def start_response(*_: object) -> Callable[[bytes], object]:
        return given.append

    body = ProfileMiddleware(app, debug=True)({}, start_response)

    assert given == [start_response]
    assert type(body) is type(iter([]))


if TYPE_CHECKING:
    _: WSGIApplication = ProfileMiddleware(lambda environ, start_response: [])
