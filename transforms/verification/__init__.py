"""Verify: a dataset folder against its manifest, down to the byte."""
