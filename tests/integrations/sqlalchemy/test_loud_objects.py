"""Objects that must not be looked at: none of ours compares, tests, measures, hashes or shows one."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, StaticPool, create_engine, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload

import dbprofile

pytestmark = pytest.mark.usefixtures("each_door")


class Base(DeclarativeBase):
    pass


def _refuse(*_arguments: object) -> Any:
    raise AssertionError("somebody looked at it")


class Loud:
    """SQLAlchemy looks at none of this when it loads, and so must nobody else."""

    __eq__ = __bool__ = __len__ = __iter__ = __repr__ = __str__ = _refuse
    __hash__ = object.__hash__  # SQLAlchemy wants that of what it joins

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        _refuse()


class Keeper(Loud, Base):
    __tablename__ = "keeper"

    id: Mapped[int] = mapped_column(primary_key=True)
    pets: Mapped[list["Pet"]] = relationship(back_populates="keeper")


class Pet(Loud, Base):
    __tablename__ = "pet"

    id: Mapped[int] = mapped_column(primary_key=True)
    keeper_id: Mapped[int] = mapped_column(ForeignKey("keeper.id"))
    keeper: Mapped[Keeper] = relationship(back_populates="pets")


@pytest.fixture
def kept_pets() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Keeper), [{"id": number} for number in range(5)])
        connection.execute(insert(Pet), [{"id": number, "keeper_id": number} for number in range(5)])
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("read", "subjects"),
    [
        (lambda session: [pet.keeper.id for pet in session.scalars(select(Pet))], ["Pet.keeper"]),
        (
            lambda session: [pet.id for keeper in session.scalars(select(Keeper)) for pet in keeper.pets],
            ["Keeper.pets"],
        ),
        (
            lambda session: [pet.keeper.id for pet in session.scalars(select(Pet).options(joinedload(Pet.keeper)))],
            [],
        ),
        (
            lambda session: [
                pet.id
                for keeper in session.scalars(select(Keeper).options(selectinload(Keeper.pets)))
                for pet in keeper.pets
            ],
            [],
        ),
        (lambda session: [session.get(Pet, number).keeper_id for number in range(5)], None),
    ],
    ids=["lazy", "collection", "joined", "in", "get"],
)
def test_objects_are_not_looked_at(kept_pets: Engine, read: Any, subjects: list[str] | None) -> None:
    with Session(kept_pets) as session, dbprofile.record() as recording:
        assert sorted(read(session)) == [0, 1, 2, 3, 4]
    assert str(recording)
    if subjects is not None:
        assert [(finding.subject, finding.count) for finding in recording.findings] == [(name, 5) for name in subjects]
