"""Reports to people and systems: a renderer for each format, a sink for each way out."""
