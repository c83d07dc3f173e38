"""What the shop leaves to a worker. ``send_invoices`` has a planted fault, ``send_cured_invoices`` shows it cured."""

from celery import Celery, Task
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

import dbprofile_celery
import dbprofile_sqlalchemy
from shop.models import FOLDER, Order, new_session

messages = FOLDER / ".cache"
messages.mkdir(exist_ok=True)

app = Celery("shop", broker="filesystem://")  # in earnest: redis://localhost:6379/0
app.conf.broker_transport_options = {
    "data_folder_in": str(messages),
    "data_folder_out": str(messages),
    "control_folder": str(messages),
}
app.conf.task_ignore_result = True

dbprofile_sqlalchemy.install()  # the two lines that turn dbprofile on
dbprofile_celery.install()


@app.task
def send_invoices() -> None:
    with new_session() as session:
        for order in session.scalars(select(Order)).all():
            print(f"An invoice for {order.customer.name}")


@app.task
def send_cured_invoices() -> None:
    with new_session() as session:
        for order in session.scalars(select(Order).options(joinedload(Order.customer))).all():
            print(f"An invoice for {order.customer.name}")


@app.task(bind=True, autoretry_for=(ConnectionError,), default_retry_delay=1)
def charge(self: Task) -> None:
    with new_session() as session:
        orders = session.scalar(select(func.count(Order.id)))
    if self.request.retries == 0:
        raise ConnectionError("the bank does not answer")
    print(f"{orders} orders are paid")
