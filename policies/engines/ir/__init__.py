"""The embedded Rego evaluator: OPA plans, turned into Python and run. README.md says how."""
