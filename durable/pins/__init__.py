"""Which form of a definition somebody vouched for, as values and SQL scripts. See durable/README.md."""
