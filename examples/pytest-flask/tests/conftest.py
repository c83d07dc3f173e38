import pytest
from shop.models import Base, Customer, Order
from shop.pages import create_app, engine, session


@pytest.fixture
def app():
    yield create_app()
    session.remove()
    Base.metadata.drop_all(engine)


@pytest.fixture
def db_session(app):
    """The session of the application, with three orders that it still holds."""
    session.add_all([Order(customer=Customer(name=f"c{number}")) for number in range(3)])
    session.commit()
    return session
