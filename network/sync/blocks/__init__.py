"""Fetch bodies and witnesses of known headers, check them, and deliver them in order."""
