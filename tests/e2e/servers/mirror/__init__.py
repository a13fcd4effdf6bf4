"""The mirror: a tool server without any library, that says what a test wrote down and keeps what it heard."""
