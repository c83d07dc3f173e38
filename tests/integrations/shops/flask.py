"""The shop on Flask and SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from flask import Flask, Response, render_template_string, stream_with_context
from sqlalchemy import StaticPool, create_engine, delete, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload, subqueryload

import dbprofile_flask
import dbprofile_sqlalchemy
from dbprofile import Profiler
from tests.integrations.shops import Shop, Thing
from tests.integrations.shops.clients import ask_wsgi
from tests.integrations.sqlalchemy.models import Author, Book, Tag, fill, forget

__all__ = ["opened"]

TEMPLATE = "{% for book in books %}{{ book.author.name }}\n{% endfor %}"


def _application(session: Session) -> Flask:
    app = Flask(__name__)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True

    @app.get("/listed")
    def listed() -> str:
        thing = Thing()
        books = session.scalars(select(Book).order_by(Book.id)).all()
        return render_template_string(TEMPLATE, books=books, thing=thing)

    @app.get("/loaded")
    def loaded() -> str:
        thing = Thing()
        authors = session.scalars(select(Author).options(selectinload(Author.books)).order_by(Author.id)).all()
        names = [f"{author.bio} {author.books[0].title} {author.profile.text}" for author in authors]
        session.refresh(authors[0])
        return f"{type(thing).__name__} {names}"

    @app.get("/refreshed")
    def refreshed() -> str:
        thing = Thing()
        engine = session.get_bind()
        with Session(engine) as beside:
            got: list[object] = [type(thing).__name__, beside.scalar(select(Tag.name).order_by(Tag.id))]
        authors = session.scalars(select(Author).order_by(Author.id)).all()
        session.expire_all()
        got += [author.name for author in authors]
        books = session.scalars(
            select(Book).options(joinedload(Book.author), subqueryload(Book.tags)).order_by(Book.id)
        )
        got += [(book.title, book.author.country.name, [tag.name for tag in book.tags]) for book in books.unique()]
        return str(got)

    @app.get("/core")
    def core() -> str:
        thing = Thing()
        connection = session.connection()
        got: list[object] = [type(thing).__name__]
        got += [[tuple(row) for row in part] for part in connection.execute(select(Author.id)).partitions(2)]
        got += connection.execute(text("SELECT id FROM tag ORDER BY id")).fetchmany(3)
        got.append(connection.execute(text("SELECT id FROM tag ORDER BY id")).fetchone())
        got += connection.exec_driver_sql("SELECT id FROM book ORDER BY id").yield_per(2)
        got.append(connection.execute(update(Author).values(name=Author.name)).rowcount)
        return str(got)

    @app.get("/batch")
    def batch() -> str:
        thing = Thing()
        tags = [Tag(name=f"{type(thing).__name__} {number}") for number in range(30)]
        session.add_all(tags)
        session.flush()
        return str(len({tag.id for tag in tags}))

    @app.get("/streamed")
    def streamed() -> Response:
        def body() -> Iterator[str]:
            for author in session.scalars(select(Author).order_by(Author.id)):
                thing = Thing()
                yield f"{type(thing).__name__} {author.country.name}\n"

        return Response(stream_with_context(body()))

    @app.get("/written/<int:number>")
    def written(number: int) -> str:
        thing = Thing()
        session.add_all(Tag(id=number + more, name="new") for more in range(3))
        session.flush()
        session.execute(text("UPDATE tag SET name = :name WHERE id = :id"), [{"name": "a", "id": number}])
        with suppress(IntegrityError), session.begin_nested():
            session.add_all([Tag(id=number + 4, name="not kept"), Tag(id=number, name="there is one")])
        session.commit()
        session.add(Tag(id=number + 3, name="not kept"))
        session.flush()
        session.rollback()
        return type(thing).__name__

    @app.get("/broken")
    def broken() -> str:
        thing = Thing()
        session.scalars(select(Author)).first()
        raise LookupError(f"no such {type(thing).__name__}")

    @app.get("/refused")
    def refused() -> str:
        thing = Thing()
        session.execute(text("SELECT nothing FROM nowhere"))
        return repr(thing)

    @app.teardown_request
    def ended(_error: BaseException | None) -> None:
        session.rollback()
        session.expunge_all()

    return app


@contextmanager
def opened(profiler: Profiler | None, *, cursor_events: bool = False) -> Iterator[Shop]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    fill(engine, 5)
    with Session(engine) as session:
        app = _application(session)
        if profiler is not None:
            dbprofile_flask.DBProfile(app, profiler=profiler)
            dbprofile_sqlalchemy.install(cursor_events=cursor_events)

        def contents() -> object:
            return session.execute(text("SELECT id, name FROM tag ORDER BY id")).all()

        def reset() -> None:
            session.execute(delete(Tag).where(Tag.id >= 100))
            session.commit()

        paths = (
            "/listed",
            "/loaded",
            "/refreshed",
            "/core",
            "/batch",
            "/streamed",
            "/written/100",
            "/broken",
            "/refused",
            "/nowhere",
        )
        pages = {path: partial(ask_wsgi, app, path) for path in paths}
        pages["left"] = partial(ask_wsgi, app, "/streamed", chunks=1)
        shop = Shop(pages, contents, reset, partial(forget, engine))
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.set_trace_callback(shop.sent.append)
        try:
            yield shop
        finally:
            if profiler is not None:
                dbprofile_sqlalchemy.uninstall()
            session.close()
            engine.dispose()
