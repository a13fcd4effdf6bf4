"""Ways to evaluate policy, one per file; only the composition root chooses between them."""
