"""Towards tool servers: one connection per upstream, both protocol eras, HTTP and child processes."""
