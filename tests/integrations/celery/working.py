"""An application on a broker in memory, and a worker that takes its messages one by one, as a pool does."""

from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.app.trace import build_tracer
from kombu.simple import SimpleQueue

from dbprofile import Profile, Report


class App(Celery):  # type: ignore[misc]  # Celery has no types
    """One whose tasks are no other application's."""

    def task(self, *arguments: Any, **options: Any) -> Callable[[Callable[..., object]], Any]:
        decorate: Callable[[Callable[..., object]], Any] = super().task(*arguments, **{"shared": False, **options})
        return decorate


class Worker:
    """Runs what was published, in this thread, each message as a pool would run it."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.headers: list[dict[str, Any]] = []
        """Those of the messages, in the order in which they were run."""

    def work(self) -> list[Any]:
        """Run messages until there are none; returns the states in which their tasks ended."""
        ended = []
        with self.app.connection_for_read() as connection, connection.SimpleQueue("celery") as queue:
            while (message := self.take(queue)) is not None:
                ended.append(self.run(*message))
        return ended

    def take(self, queue: Any) -> tuple[dict[str, Any], Any] | None:
        try:
            message = queue.get_nowait()
        except SimpleQueue.Empty:
            return None
        message.ack()
        headers, body = message.headers, message.payload
        if "id" not in headers:  # the first version of the protocol
            headers = {**body, "headers": message.headers}
            body = body["args"], body["kwargs"], {}
        return {**headers, "delivery_info": message.delivery_info}, body

    def run(self, headers: dict[str, Any], body: Any) -> Any:
        self.headers.append(headers)
        arguments, keywords, embedded = body
        task = self.app.tasks[headers["task"]]
        trace = build_tracer(task.name, task, app=self.app)
        traced = trace(headers["id"], arguments, keywords, {**headers, **embedded})
        return "SUCCESS" if traced.info is None else traced.info.state


def profiles(reports: list[Report]) -> list[Profile]:
    return [report.profile for report in reports]
