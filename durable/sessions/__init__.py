"""Sessions of agents: their labels, and the values behind their placeholders. See durable/README.md."""
