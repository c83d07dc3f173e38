"""A library with every kind of relation that Django has."""
