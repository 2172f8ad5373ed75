"""Read: one module a format, all to AnnotatedImage."""
