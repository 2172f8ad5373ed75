"""The manifest over all videos of a run, and whether it says that nothing is left to do."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from transforms import storage
from transforms.detections.detect_settings import DetectSettings
from transforms.detections.output_folder import FORMAT_VERSION, KIND, OutputFolder, read_manifest
from transforms.videos.find_videos import VideoFile
from transforms.videos.reasons import TRIED_AGAIN

_INPUTS_FILE = "inputs.json"
_READS_AT_ONCE = 16
_OF_A_VIDEO = ("video", "folder", "status", "reason", "detail", "counts", "warnings")


def described_inputs(files: Sequence[VideoFile]) -> dict[str, Any]:
    """The inputs as the manifest holds them: nothing of the machine that they lie on."""
    listed = sorted((file.name, file.size) for file in files)
    return {"files": len(files), "digest": hashlib.sha256(json.dumps(listed).encode()).hexdigest()}


def run_manifest(
    manifests: Sequence[Mapping[str, Any]], settings: DetectSettings, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Over the manifests of all videos, in any order."""
    ordered = sorted(manifests, key=lambda manifest: (manifest["video"]["name"], manifest["folder"] or ""))
    frames: Counter[str] = Counter()
    for manifest in ordered:
        frames.update(manifest["counts"]["frames"])
    return {
        "format_version": FORMAT_VERSION,
        "kind": KIND,
        "model": asdict(settings.model),
        "settings": settings.described(),
        "classes": [{"id": class_id, "name": name} for class_id, name in sorted(settings.labels.items())],
        "inputs": dict(inputs),
        "counts": {
            "videos": dict(Counter(manifest["status"] for manifest in ordered)),
            "frames": dict(frames),
            "detections": sum(manifest["counts"]["detections"] for manifest in ordered),
            "segments": sum(manifest["counts"]["segments"] for manifest in ordered),
        },
        "videos": [{key: manifest[key] for key in _OF_A_VIDEO} for manifest in ordered],
    }


def remember_inputs(folder: OutputFolder, files: Sequence[VideoFile]) -> None:
    """Notes, beside the work that is kept, by which a later run tells that no file has changed."""
    storage.write_whole(os.path.join(folder.work, _INPUTS_FILE), _noted(files))


def _noted(files: Sequence[VideoFile]) -> bytes:
    return json.dumps([[file.path, file.size, file.modified] for file in files]).encode()


def _are_as_noted(folder: OutputFolder, files: Sequence[VideoFile]) -> bool:
    try:
        return storage.read_bytes(os.path.join(folder.work, _INPUTS_FILE)) == _noted(files)
    except FileNotFoundError:
        return False


def finished_run(folder: OutputFolder, settings: DetectSettings, files: Sequence[VideoFile]) -> dict[str, Any] | None:
    """The manifest of a run with these inputs and settings that is complete; None where there is work to do."""
    manifest = read_manifest(folder.path)
    if manifest is None:
        return None
    wanted = run_manifest([], settings, described_inputs(files))
    # As JSON, in which whole numbers and the like are told apart as little as in the file.
    same = all(
        json.dumps(manifest.get(key), sort_keys=True) == json.dumps(wanted[key], sort_keys=True)
        for key in ("model", "settings", "classes", "inputs")
    )
    if not same or not _are_as_noted(folder, files):
        return None
    with ThreadPoolExecutor(_READS_AT_ONCE) as threads:
        complete = all(threads.map(lambda video: _is_there(folder, video), manifest["videos"]))
    return manifest if complete else None


def _is_there(folder: OutputFolder, video: Mapping[str, Any]) -> bool:
    if video["reason"] in TRIED_AGAIN:
        return False
    return not video["folder"] or read_manifest(os.path.join(folder.path, video["folder"])) is not None
