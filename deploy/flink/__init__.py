"""A Flink cluster on this machine, and what a cluster elsewhere needs."""
