"""How a job is run: flags, one graph each, the runner and its progress; no element-level code."""
