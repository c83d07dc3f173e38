"""A small shop: a page of Flask's, and what it leaves to a worker."""
