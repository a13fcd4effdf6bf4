"""One held call as it is shown, in a terminal or on a page: what can be said before any of it is drawn."""
