"""Detectors of the content pipeline, one family of findings each."""
