"""One format, one file; each is a function from reports to text."""
