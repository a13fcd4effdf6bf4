"""Towards people: health routes now; the API and the reviewer's pages attach here."""
