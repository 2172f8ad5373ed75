"""Encode: an AnnotatedImage to deterministic tf.train.Example bytes."""
