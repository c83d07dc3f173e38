"""The verbs of the command line: one module each, with what it takes and what it does."""
