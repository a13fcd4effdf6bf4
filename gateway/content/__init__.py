"""The look at what passes: engines and their workers, labels of sessions, values behind placeholders."""
