"""Compare: two datasets, image by image and box by box."""
