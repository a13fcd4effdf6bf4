"""``toolgate approvals``: held calls from the terminal, over the people port's API and nothing else."""
