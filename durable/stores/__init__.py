"""Where held calls are kept: one port, and what fits it. See durable/README.md."""
