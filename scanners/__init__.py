"""Text and JSON in, findings out. Pure; no scanner decides. The engines arrive with the content pipeline."""
