"""Statements to a Profile: the hot path. Standard library only."""
