"""The enforcement point: everything that talks to someone, and the wiring. Read enforcement.py first."""
