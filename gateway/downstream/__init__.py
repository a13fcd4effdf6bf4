"""Towards agents: strict wire, both protocol eras, sessions, errors."""
