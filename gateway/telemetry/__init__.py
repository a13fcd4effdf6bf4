"""Logs, metrics, traces. Fails open: nothing here may stop a call."""
