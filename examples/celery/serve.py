"""Starts a worker for the shop's tasks: ``python serve.py`` is ``celery -A shop.tasks worker`` and a few options."""

import os

from shop.models import engine, fill
from shop.tasks import app

if __name__ == "__main__":
    fill()
    engine.dispose()
    os.environ.setdefault("DBPROFILE", "1")  # tell of tasks, also where no terminal is
    app.worker_main(["worker", "--loglevel=INFO", "--concurrency=2", "--without-gossip", "--without-mingle"])
