"""Held calls: rows that are moved along a table of edges, by one function. See durable/README.md."""
