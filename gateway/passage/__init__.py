"""One governed request: what is known of it, what it is about, how it is sent."""
