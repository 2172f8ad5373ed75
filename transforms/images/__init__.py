"""Check: bytes to a verified image."""
