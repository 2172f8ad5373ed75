"""Outline: polygons, run lengths and pictures to one 0/1 PNG per object."""
