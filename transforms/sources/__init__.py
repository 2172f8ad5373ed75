"""Name: what a dataset is made from, one source or several."""
