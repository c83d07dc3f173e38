"""An SDK of OpenTelemetry whose exporters keep what they get, in this process and for one test."""

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import Tracer

from dbprofile_opentelemetry import OpenTelemetry


class Backend:
    """Providers of all three signals, given to the sink by hand: the global ones can be set but once a process."""

    def __init__(self, sampler: Sampler = ALWAYS_ON, processors: Sequence[LogRecordProcessor] = ()) -> None:
        self._spans = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(sampler=sampler)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.tracer: Tracer = self.tracer_provider.get_tracer("server")
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader])
        self._records = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK left it untyped
        self.logger_provider = LoggerProvider()
        for processor in processors:
            self.logger_provider.add_log_record_processor(processor)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._records))

    def sink(self, **keywords: Any) -> OpenTelemetry:
        """A sink that sends here."""
        return OpenTelemetry(meter_provider=self.meter_provider, logger_provider=self.logger_provider, **keywords)

    def events(self, name: str) -> list[Any]:
        """The records of events of one name."""
        records = [kept.log_record for kept in self._records.get_finished_logs()]
        return [record for record in records if record.event_name == name]

    def spans(self) -> dict[str, Mapping[str, object]]:
        """The attributes of spans that ended, by name."""
        return {span.name: dict(span.attributes or {}) for span in self._spans.get_finished_spans()}

    def metrics(self) -> dict[str, Metric]:
        """The metrics so far, by name."""
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def points(self, name: str) -> list[Any]:
        """The points of one metric; none if nothing was recorded."""
        metric = self.metrics().get(name)
        return list(metric.data.data_points) if metric is not None else []

    def total(self, name: str) -> int:
        """The sum of a counter over all its series."""
        return sum(point.value for point in self.points(name))
