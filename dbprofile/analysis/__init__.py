"""A Profile to groups: pure passes over Queries, after the scope. Knows no ORM, and no text but through Statement."""
