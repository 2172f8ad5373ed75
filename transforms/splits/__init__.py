"""Assign: a hash of the key to a split, and the plan of shards."""
