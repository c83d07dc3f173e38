"""A receiver of OTLP over HTTP that prints what arrives: the shortest collector that there is."""

import gzip
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def show_logs(body: bytes) -> Iterator[str]:
    for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                yield f"event   {record.event_name}  {record.severity_text}  in trace {record.trace_id.hex()}"
                yield f"        {record.body.string_value}"
                yield from show_attributes(record.attributes)


def show_spans(body: bytes) -> Iterator[str]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield f"span    {span.name}  in trace {span.trace_id.hex()}"
                yield from show_attributes(span.attributes)


def show_metrics(body: bytes) -> Iterator[str]:
    for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in (*metric.sum.data_points, *metric.histogram.data_points):
                    is_histogram = metric.HasField("histogram")
                    value = f"{point.count} measured, {point.sum:.6g} in all" if is_histogram else point.as_int
                    yield f"metric  {metric.name}  {value}  {metric.unit}"
                    yield from show_attributes(point.attributes)


def show_attributes(attributes: Iterable[Any]) -> Iterator[str]:
    for attribute in sorted(attributes, key=lambda attribute: str(attribute.key)):
        value = getattr(attribute.value, attribute.value.WhichOneof("value"))
        text = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
        yield f"        {attribute.key} = {text}"


SIGNALS = {"/v1/logs": show_logs, "/v1/traces": show_spans, "/v1/metrics": show_metrics}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["content-encoding"] == "gzip":
            body = gzip.decompress(body)
        print("\n".join(SIGNALS[self.path](body)), flush=True)
        self.send_response(200)
        self.send_header("content-length", "0")  # an empty message of the protocol
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[str]:
    """Receive on a free port; the value is the endpoint for exporters."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
