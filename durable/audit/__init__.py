"""The append-only audit log: segments of JSON lines are the truth, everything else is derived from them."""
