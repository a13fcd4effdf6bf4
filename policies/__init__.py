"""The policy decision point: Rego in, one verdict per evaluation request out."""
