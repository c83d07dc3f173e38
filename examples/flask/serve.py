"""Serves the shop with the tables and orders it needs: ``python serve.py``."""

from visit import prepare, serve

if __name__ == "__main__":
    prepare()
    serve(5000)
