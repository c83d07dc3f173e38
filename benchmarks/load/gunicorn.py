"""gunicorn's configuration: what a worker does when it ends."""

from benchmarks.load.application import worker_exit

__all__ = ["worker_exit"]
