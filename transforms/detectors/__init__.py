"""Infer: every generation of detection model behind one Detector."""
