"""The store for a root, whatever kind of storage it is in."""

from __future__ import annotations

from transforms import storage
from transforms.images.image_store import ImageStore
from transforms.images.local_image_store import LocalImageStore
from transforms.storage.remote_listings import RemoteListings


def open_image_store(root: str, listings: RemoteListings | None = None) -> ImageStore:
    """The images below a folder.

    Args:
      root: a local path or a URL.
      listings: of remote folders, to share what is known of them.
    """
    if not storage.is_remote(root):
        return LocalImageStore(root)
    from transforms.images.remote_image_store import RemoteImageStore

    return RemoteImageStore(root, listings or RemoteListings())
