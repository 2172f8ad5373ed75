"""Cut: probe, segments and decoding of videos."""
