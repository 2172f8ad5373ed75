"""What a detection run depends on, and the keys by which finished work is found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.storage.remote_claim import Claim
from transforms.videos.cut_settings import CutSettings

# Detections below this score are not kept, unless the user asks for lower ones: so that a higher --min_score needs no
# inference, while the hundreds of rows that models fill up with are left out, and need not even be computed.
STORED_FLOOR = 0.05
# Part of every key: results of another way of decoding or storing are never taken for ours.
_STORE_VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model, for results.

    Attributes:
      name: last part of its path.
      kind: "tf2_saved_model" and so on.
      fingerprint: of its contents.
    """

    name: str
    kind: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Font:
    """A font file that all workers reach, and the digest of its content."""

    path: str
    digest: str

    @classmethod
    def of_file(cls, path: str) -> Font:
        with open(path, "rb") as file:
            return cls(path, hashlib.file_digest(file, "sha256").hexdigest()[:16])


@dataclass(frozen=True, slots=True)
class DetectSettings:
    """All that workers need besides the videos.

    Attributes:
      output: absolute path of the folder of results, which all workers reach.
      model: what is run.
      model_path, label_map_path, trust_model: to load it by.
      labels: class id → name.
      batch_size: frames a run of the model.
      min_score: detections below are not in results.
      cut: how videos are cut.
      exports: names of formats.
      as_annotations: detections also stand as ground truth in the tfrecord export.
      annotated_video: whether to draw one.
      font: of its labels; None for the built-in one.
      segment_limit_seconds: how long the decoder of one segment may keep the model waiting, in all.
      log_folder: for TensorBoard, of this run; "" for none.
      boxmill_version: of this program.
      claim: on the folder of results, if it is remote; work is stored only while no other run has it.
    """

    output: str
    model: ModelIdentity
    model_path: str
    label_map_path: str | None = None
    trust_model: bool = False
    labels: Mapping[int, str] = field(default_factory=dict)
    batch_size: int = 8
    min_score: float = 0.05
    cut: CutSettings = field(default_factory=CutSettings)
    exports: tuple[str, ...] = ()
    as_annotations: bool = False
    annotated_video: bool = False
    font: Font | None = None
    segment_limit_seconds: float = 600.0
    log_folder: str = ""
    boxmill_version: str = ""
    claim: Claim | None = None

    @property
    def floor(self) -> float:
        """The lowest score that is stored."""
        return STORED_FLOOR if self.min_score >= STORED_FLOOR else 0.0

    def check_claim(self) -> None:
        """Makes sure, by a request to remote storage, that no other run has taken the folder of results over.

        Raises:
          ClaimRefused: one has.
        """
        if self.claim is not None:
            self.claim.check()

    def inference_key(self) -> str:
        """Equal keys, equal raw detections of a segment."""
        return _digest(self._inference(), self.floor)

    def drawing_key(self) -> str:
        """Equal keys, equal drawn frames."""
        return _digest(self.inference_key(), self.min_score, self.labels, self.font and self.font.digest)

    def records_key(self) -> str:
        """Equal keys, equal records of the tfrecord export."""
        return _digest(self.inference_key(), self.min_score, self.labels, self.as_annotations)

    def video_key(self, name: str, fingerprint: str) -> str:
        """Equal keys, equal folders of a video's results."""
        return _digest(self.described(), self.labels, self.model.fingerprint, name, fingerprint)

    def described(self) -> dict[str, Any]:
        """The settings as manifests hold them: all that results depend on."""
        cut = self.cut
        return {
            "batch_size": self.batch_size,
            "frame_stride": cut.sampling.stride,
            "sample_fps": str(cut.sampling.fps) if cut.sampling.fps is not None else None,
            "stream": cut.stream,
            "segment_seconds": cut.segment_seconds,
            "max_megapixels": cut.max_pixels / 1e6,
            "min_score": self.min_score,
            "exports": sorted(self.exports),
            "as_annotations": self.as_annotations,
            "annotated_video": self.annotated_video,
            "font": self.font.digest if self.font else None,
            "label_map": _digest(self.labels) if self.labels else None,
            "boxmill_version": self.boxmill_version,
        }

    def _inference(self) -> dict[str, Any]:
        sampling = self.cut.sampling
        return {
            "store": _STORE_VERSION,
            "model": self.model.fingerprint,
            "batch_size": self.batch_size,
            "stride": sampling.stride,
            "fps": str(sampling.fps),
            "stream": self.cut.stream,
            "max_pixels": self.cut.max_pixels,
        }


def _digest(*values: object) -> str:
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
