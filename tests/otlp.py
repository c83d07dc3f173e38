"""A receiver of OTLP over HTTP in this process: what an exporter sends arrives as the messages of the protocol."""

import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

_SERVICES: dict[str, tuple[type[Any], type[Any]]] = {
    "/v1/logs": (logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse),
    "/v1/metrics": (metrics_service_pb2.ExportMetricsServiceRequest, metrics_service_pb2.ExportMetricsServiceResponse),
    "/v1/traces": (trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse),
}
_ENCODINGS: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


class Receiver:
    """What has arrived so far: ``(path, message)``, in order."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self._arrived: list[tuple[str, Any]] = []
        self._changed = threading.Condition()

    def take(self, path: str, message: Any) -> None:
        with self._changed:
            self._arrived.append((path, message))
            self._changed.notify_all()

    def wait_for(self, path: str, *, seconds: float = 30) -> list[Any]:
        """The messages of one path, as soon as there is one."""
        with self._changed:
            self._changed.wait_for(lambda: any(path == seen for seen, _ in self._arrived), seconds)
            return [message for seen, message in self._arrived if seen == path]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request, response = _SERVICES[self.path]
            body = self.rfile.read(int(self.headers["content-length"]))
            received.take(self.path, request.FromString(_ENCODINGS[self.headers["content-encoding"]](body)))
            answer = response().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join()
