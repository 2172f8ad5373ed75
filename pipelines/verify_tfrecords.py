"""``boxmill verify``: every byte of a dataset is compared with what its manifest says.

shards of the manifest -> Verify shard -> Gather reports -> Verify whole
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from absl import flags

from pipelines import local_workers
from pipelines.flags import HELP_FLAGS, UsageError, help_text, parse_flags
from transforms import storage

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from transforms.verification.check_dataset import VerifyResult
    from transforms.verification.stated_dataset import StatedDataset
    from transforms.verification.verify_dataset import VerifySettings

EXIT_CLEAN, EXIT_FOUND = 0, 1
_SHOWN_FINDINGS = 20
WORKER_MODULES = ("transforms.verification.verify_dataset",)

FLAGS = flags.FlagValues()
flags.DEFINE_string(
    "dataset",
    None,
    "Folder of the dataset, OUTPUT/NAME/VERSION; may be given without the flag's name.",
    flag_values=FLAGS,
)
flags.DEFINE_enum(
    "image_decode",
    "sample",
    ("none", "sample", "full"),
    "Decode no image; the same 5 % in every run and the first of each shard; or every one. Header, size and digest of "
    "each are checked in any case.",
    flag_values=FLAGS,
)
flags.DEFINE_string(
    "report",
    None,
    "File for the findings, one JSON object a line. Of one shard 1,000 are listed at most, and the rest is counted.",
    flag_values=FLAGS,
)


def build(root: beam.Pipeline, settings: VerifySettings) -> beam.PCollection[int]:
    """Adds the graph of a verification to a pipeline; yields the number of findings."""
    from transforms.verification.verify_dataset import VerifyDataset

    return root | "Verify" >> VerifyDataset(settings)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        print(_help(), end="")
        return EXIT_CLEAN
    local_workers.prepare_run(argv, WORKER_MODULES)
    from pipelines.runner import PipelineFailed, RunnerRefused
    from transforms.shards.manifest import NotADataset

    try:
        return _run(argv)
    except (UsageError, NotADataset, RunnerRefused) as error:
        print(f"boxmill verify: {error}", file=sys.stderr)
        return EXIT_FOUND
    except OSError as error:
        if not storage.is_remote(str(error.filename)):
            raise
        print(f"boxmill verify: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_FOUND
    except PipelineFailed as failed:
        print(f"boxmill verify: {failed.message}", file=sys.stderr)
        if failed.kind == "WorkerDied":
            return EXIT_FOUND
        raise


def _help() -> str:
    return help_text(
        "Checks every byte of a dataset: files, digests, framing, records, pictures, counts, ledger, label maps. Exits "
        "with 0 only if\nall is accounted for, else with 1.",
        "boxmill verify FOLDER [flags]",
        FLAGS,
        [
            "boxmill verify data/voc/1.0.0",
            "boxmill verify data/voc/1.0.0 --image_decode=full --report=findings.jsonl --direct_num_workers=4",
        ],
    )


def _run(argv: Sequence[str]) -> int:
    started = time.monotonic()
    values, options = parse_flags(FLAGS, _with_named_dataset(argv))
    if not values.dataset:
        raise UsageError("which dataset? Give its folder: boxmill verify OUTPUT/NAME/VERSION")
    folder = storage.absolute(values.dataset)
    from pipelines.clusters import check_cluster
    from transforms.verification.check_dataset import VerifyResult
    from transforms.verification.findings import Code, Finding
    from transforms.verification.stated_dataset import ManifestMalformed, parse_manifest

    check_cluster(options)
    manifest = _read_manifest(folder)
    is_local_report = values.report and not storage.is_remote(values.report)
    if is_local_report and not os.path.isdir(os.path.dirname(os.path.abspath(values.report))):
        raise UsageError(f"--report={values.report}: its folder does not exist; create it or name another")
    try:
        stated = parse_manifest(manifest)
    except ManifestMalformed as malformed:
        finding = Finding(Code.MANIFEST_MALFORMED, "manifest.json", "", str(malformed))
        result = VerifyResult(0, 0, 0, 0, [finding])
    else:
        result = _verify(folder, stated, manifest, values, options)
    if values.report:
        text = "".join(f"{finding.to_json()}\n" for finding in result.findings)
        storage.write_whole(values.report, text.encode("utf-8", "surrogateescape"))
    print(summary(result, folder, time.monotonic() - started, values.report), end="")
    return EXIT_FOUND if result.findings else EXIT_CLEAN


def _with_named_dataset(argv: Sequence[str]) -> list[str]:
    """Arguments in which a folder that stands by itself, and is no value of a flag before it, has its flag's name."""
    argv = list(argv)
    for position, argument in enumerate(argv):
        before = argv[position - 1] if position else ""
        if not argument.startswith("-") and (not before.startswith("-") or "=" in before):
            break
    else:
        return argv
    folder = argv.pop(position)
    if given := [argument for argument in argv if argument.split("=")[0] in ("--dataset", "-dataset")]:
        raise UsageError(f"{folder} and {given[0]} both name a dataset; give one of them")
    return [f"--dataset={folder}", *argv]


def _read_manifest(folder: str) -> dict[str, Any]:
    """Reads the manifest, and looks below the folder if it has none."""
    from transforms.shards.manifest import MANIFEST_FILE, NotADataset, read_manifest

    try:
        return read_manifest(folder)
    except NotADataset as error:
        places = [folder]
        for _ in range(2):
            places = [path for place in places for path in storage.list_folder(place)[1]]
            if found := sorted(place for place in places if storage.exists(os.path.join(place, MANIFEST_FILE))):
                raise NotADataset(f"{error}; did you mean {found[0]}?") from None
        raise


def _verify(
    folder: str, stated: StatedDataset, manifest: dict[str, Any], values: flags.FlagValues, options: PipelineOptions
) -> VerifyResult:
    from pipelines.progress import Step, showing
    from pipelines.runner import run_pipeline
    from transforms.verification.check_dataset import VerifyResult
    from transforms.verification.check_shard import ShardSettings
    from transforms.verification.verify_dataset import VerifySettings

    records = sum(split.records for split in stated.splits)

    def done(name: str) -> Any:
        return lambda counters: counters[name]

    def total(number: int) -> Any:
        return lambda counters: number

    steps = [
        Step("verifying", "records", done("records_verified"), total(records)),
        Step("comparing", "datasets", done("datasets_verified"), total(1)),
    ]
    # Workers elsewhere reach the folder of the report, if anything here.
    with _shared_folder(values.report) as place:
        shard = ShardSettings(folder, stated.fingerprint, stated.class_ids, values.image_decode)
        settings = VerifySettings(shard, stated, manifest, os.path.join(place, "result.jsonl"))
        with showing(steps) as update:
            run_pipeline(lambda root: cast(None, build(root, settings)), options, update)
        try:
            return VerifyResult.from_json(storage.read_bytes(settings.result_file).decode("utf-8", "surrogateescape"))
        except FileNotFoundError:
            raise UsageError(
                f"the workers wrote no {settings.result_file} that this machine sees; give a --report=FILE on storage "
                "that they share"
            ) from None


@contextmanager
def _shared_folder(report: str | None) -> Iterator[str]:
    """A folder beside the report, for as long as the block runs; without a report one of this machine."""
    if report and storage.is_remote(report):
        place = f"{os.path.dirname(report)}/.boxmill-verify-{uuid.uuid4().hex[:8]}"
        try:
            yield place
        finally:
            storage.delete_folder(place)
        return
    beside_report = os.path.dirname(os.path.abspath(report)) if report else None
    with tempfile.TemporaryDirectory(prefix=".boxmill-verify-", dir=beside_report) as place:
        yield place


def summary(result: VerifyResult, folder: str, seconds: float, report: str | None) -> str:
    """What was checked and what was found, for the end of a run."""
    findings = result.findings
    lines = [
        "",
        f"{result.shards:,} shards, {result.records:,} records, {result.boxes:,} boxes, {result.bytes / 1e6:,.1f} MB "
        f"checked in {seconds:.1f} s ({result.records / max(seconds, 1e-9):,.0f} records/s)",
    ]
    for finding in findings[:_SHOWN_FINDINGS]:
        lines += ["", f"{finding}", f"  -> {finding.remedy}"]
    if len(findings) > _SHOWN_FINDINGS:
        place = f"all are in {report}" if report else "--report=FILE writes all of them"
        lines += ["", f"… and {len(findings) - _SHOWN_FINDINGS:,} more; {place}"]
    if findings:
        codes = Counter(finding.code.value for finding in findings)
        lines += ["", f"{len(findings):,} findings: " + ", ".join(f"{code} {n:,}" for code, n in codes.most_common())]
        lines += [f"NOT WHOLE: {folder}"]
    else:
        lines += [f"every byte is accounted for: {folder}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
