"""A shop that tells OpenTelemetry of its slow queries, its N+1 queries, and the totals of each request."""

from fastapi import FastAPI
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from sqlalchemy import ForeignKey, StaticPool, create_engine, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import dbprofile_asgi
import dbprofile_sqlalchemy
from dbprofile import Profiler
from dbprofile_opentelemetry import OpenTelemetry

# --- what every application with OpenTelemetry sets up, or `opentelemetry-instrument` for it ---

resource = Resource({"service.name": "shop"})
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(tracers)
meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
metrics.set_meter_provider(meters)
loggers = LoggerProvider(resource)
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
set_logger_provider(loggers)

# FastAPI opens the server's span of each request; for older versions opentelemetry-instrumentation-fastapi does.


# --- the shop ---


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    customer: Mapped[Customer] = relationship()


engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all(Order(id=key, customer=Customer(id=key, name=f"Customer {key}")) for key in range(1, 31))
    session.commit()

app = FastAPI()


@app.get("/orders")
def orders() -> list[str]:
    with Session(engine) as session:
        return [order.customer.name for order in session.scalars(select(Order))]


SALES = "SELECT count(*) FROM orders a, orders b, orders c, orders d, orders e WHERE a.id + b.id + c.id + d.id > e.id"


@app.get("/reports/{year}")
def report(year: int) -> int:
    with Session(engine) as session:
        return int(session.scalar(text(SALES)))


# --- dbprofile: the sink, and what counts the queries of each request ---

dbprofile_sqlalchemy.install()
app.add_middleware(dbprofile_asgi.ProfileMiddleware, profiler=Profiler(sinks=[OpenTelemetry()]))
