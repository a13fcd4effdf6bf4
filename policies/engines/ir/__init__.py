"""The embedded Rego evaluator: an OPA intermediate-representation plan, turned into Python and run. See README.md."""
