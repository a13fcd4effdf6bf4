"""What we offer agents now: an immutable snapshot, replaced whole."""
