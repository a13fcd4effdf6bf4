"""Text and JSON in, findings and redacted views out. Pure; no scanner decides what happens to a call."""
