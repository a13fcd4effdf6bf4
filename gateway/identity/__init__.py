"""Access token to principal; workflow context from headers and _meta."""
