"""Fetches the bodies and witnesses of known headers, checks them, and delivers them to the node in order."""
