"""The dataset that ``boxmill build --previous`` goes on with: read, and compared with what is to be built."""

from __future__ import annotations

import hashlib
import os

from transforms import storage
from transforms.shards.manifest import MANIFEST_FILE, BuildIdentity, NotADataset, read_manifest
from transforms.shards.previous_dataset import PreviousDataset, PreviousRefused, PreviousShard
from transforms.verification.stated_dataset import ManifestMalformed, parse_manifest

# On these depend neither records nor splits: how large new shards are, how a format is told, and what came before.
_FREE_SETTINGS = {"sizing", "format", "previous"}


def read_dataset(folder: str, flag: str = "") -> PreviousDataset:
    """The dataset in a folder.

    Args:
      folder: of it.
      flag: that names the folder, for messages.

    Raises:
      PreviousRefused: there is none.
    """
    folder = storage.absolute(folder)
    try:
        manifest = read_manifest(folder)
        stated = parse_manifest(manifest)
    except (NotADataset, ManifestMalformed) as error:
        place = f"{flag}={folder}: " if flag else ""
        raise PreviousRefused(f"{place}{error}; give the folder of a dataset, OUTPUT/NAME/VERSION") from None
    sha256 = hashlib.sha256(storage.read_bytes(os.path.join(folder, MANIFEST_FILE))).hexdigest()
    return PreviousDataset(
        folder,
        stated.name,
        stated.version,
        stated.fingerprint,
        sha256,
        {
            shard.key: PreviousShard(shard.file, shard.records, shard.boxes, shard.bytes, shard.sha256, number)
            for number, shard in enumerate(stated.shards)
        },
        {name: file.sha256 for name, file in (stated.files or {}).items()},
        stated.class_ids,
        manifest["settings"].get("masks") != "none",
        manifest["settings"],
        len(manifest["sources"]) > 1,
        manifest["boxmill_version"],
        flag,
    )


def check_settings(previous: PreviousDataset, identity: BuildIdentity) -> None:
    """Checks that records of before are what would be written now.

    Raises:
      PreviousRefused: a setting differs on which they depend.
    """
    if previous.boxmill_version != identity.boxmill_version:
        raise previous.refusal(
            f"it was built by version {previous.boxmill_version}, this is {identity.boxmill_version}, which may write "
            "other records"
        )
    for name in sorted({*previous.settings, *identity.settings} - _FREE_SETTINGS):
        before, now = previous.settings.get(name), identity.settings.get(name)
        if before != now:
            raise previous.refusal(
                f"it has {name}={before!r:.200}, this run has {now!r:.200}, so records or splits differ"
            )
    if previous.is_mixed != (len(identity.sources) > 1):
        several = "several sources, now there is one" if previous.is_mixed else "one source, now there are several"
        raise previous.refusal(f"it has {several}, so records name their sources otherwise")
