"""Figures for the owner of the shop."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from shop.models import Payment


def single_payments(session: Session) -> int | None:
    """The sum of payments whose reference no other payment has: nothing indexes the reference."""
    other = aliased(Payment)
    twice = select(other.id).where(other.reference.endswith(Payment.reference), other.id != Payment.id).exists()
    return session.scalar(select(func.sum(Payment.amount)).where(~twice))
