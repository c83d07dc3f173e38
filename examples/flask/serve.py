"""Serves the shop with the tables and orders it needs: ``python serve.py``, or ``python serve.py 8080`` for another port."""

import sys

from visit import prepare, serve

if __name__ == "__main__":
    prepare()
    serve(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
