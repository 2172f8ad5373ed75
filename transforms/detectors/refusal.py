"""The error for a model that will not be run."""

from __future__ import annotations


class ModelRefused(ValueError):
    """A model that cannot, or must not, be run. Raised before the first frame; its text is one paragraph.

    The text says which model, what was found in it and what to do. It is meant for the user, who needs no
    traceback.
    """
