"""The one settings model, and how a YAML or JSON file becomes it without losing rows."""
