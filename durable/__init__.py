"""What must survive a crash: the audit log, and the values sealed beside it."""
