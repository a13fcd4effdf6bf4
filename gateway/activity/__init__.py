"""What people read about calls, from the log and its index."""
