"""Pure values and rules of a governed call: no I/O, no clock, no randomness."""
