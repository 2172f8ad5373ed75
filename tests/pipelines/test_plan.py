"""``boxmill plan`` beside what really comes of the same flags; times are for benchmarks/plan.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sample_images import write_dataset
from pipelines import cli, plan, plan_annotations, plan_videos
from pipelines.demo_sample import write_sample
from tests.fake_gcs import cloud
from tests.pipelines.detect_runs import run_detect
from tests.sample_data import build_dataset
from tests.videos.shape_clips import write_shapes_clip
from transforms.detectors.demo_model import write_shapes_detector

Capture = pytest.CaptureFixture[str]
BCCD = Path(__file__).resolve().parents[3] / "shared" / "real" / "ann" / "bccd" / "BCCD"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes_detector(tmp_path_factory.mktemp("model"))


def planned(capsys: Capture, *argv: object) -> dict[str, Any]:
    capsys.readouterr()
    assert plan.main([*map(str, argv), "--plan_json"]) == 0, capsys.readouterr().err
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def values(found: dict[str, Any], kind: str) -> dict[str, float]:
    return {name: item["value"] for name, item in found[kind].items()}


def within(expected: float, share: float = 0.2) -> Any:
    return pytest.approx(expected, rel=share)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.skipif(not BCCD.is_dir(), reason=f"{BCCD} is not there: the datasets are no part of the project")
def test_plan_of_a_public_dataset(capsys: Capture, tmp_path: Path) -> None:
    flags = [f"--annotations={BCCD}/Annotations", f"--images={BCCD}/JPEGImages", f"--output={tmp_path}", "--name=bccd"]
    plans = {sample: planned(capsys, "build", *flags, f"--plan_sample={sample}") for sample in (40, 500)}
    assert not list(tmp_path.iterdir())
    manifest = build_dataset(tmp_path, BCCD / "Annotations", BCCD / "JPEGImages", name="bccd").manifest
    for sample, found in plans.items():
        counts = values(found, "counts")
        assert counts["images"] == 364
        assert counts["boxes"] == within(4888, 0.1 if sample == 40 else 0)
        for name, split in manifest["splits"].items():
            assert found["splits"][name]["shards"] == len(split["shards"])
            assert found["splits"][name]["images"] == within(split["records"])
        assert values(found, "bytes")["shards"] == within(sum(s["bytes"] for s in manifest["splits"].values()), 0.1)
        assert values(found, "bytes")["dataset"] == within(folder_bytes(tmp_path / "bccd"))


def test_plan_of_a_generated_dataset(capsys: Capture, tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", 600, target_bytes=10_000)
    annotations, images = tmp_path / "data" / "instances.json", tmp_path / "data" / "images"
    flags = [f"--annotations={annotations}", f"--images={images}", f"--output={tmp_path}/out", "--name=made"]
    more = ["--num_shards=train=6,val=2", "--image_check=header"]
    found = planned(capsys, "build", *flags, *more, "--plan_sample=100", "--plan_workers=1,50")
    assert not (tmp_path / "out").exists()
    manifest = build_dataset(tmp_path, annotations, images, *more, name="made").manifest
    assert values(found, "counts") == {"images": 600, "boxes": 3000, "images rejected": 0}
    for name, split in manifest["splits"].items():
        assert found["splits"][name] == {"images": split["records"], "shards": len(split["shards"])}
    assert values(found, "bytes")["shards"] == within(sum(s["bytes"] for s in manifest["splits"].values()), 0.05)
    assert values(found, "bytes")["dataset"] == within(folder_bytes(tmp_path / "made"))
    assert [run["workers"] for run in found["runs"]] == [1, 50]
    write = next(stage for stage in found["stages"] if stage["name"] == "write shards")
    assert write["parts"] == 8


def test_plan_of_a_sample_with_bad_pictures_and_annotations(capsys: Capture, tmp_path: Path) -> None:
    write_sample(str(tmp_path / "data"))
    annotations, images = tmp_path / "data" / "annotations", tmp_path / "data" / "images"
    found = planned(
        capsys, "build", f"--annotations={annotations}", f"--images={images}", f"--output={tmp_path}/o", "--name=made"
    )
    manifest = build_dataset(tmp_path, annotations, images, "--max_reject_ratio=1", name="made").manifest
    counts = manifest["counts"]
    assert counts["images"]["rejected"]
    assert values(found, "counts") == {
        "images": counts["images"]["read"],
        "boxes": counts["boxes"]["read"],
        "images rejected": pytest.approx(counts["images"]["rejected"]),
    }


def test_plan_of_several_sources_takes_caps_and_fixed_splits(capsys: Capture, tmp_path: Path) -> None:
    for name, images in (("a", 60), ("b", 30)):
        write_dataset(tmp_path / name, images, target_bytes=5_000)
    (tmp_path / "mix.yaml").write_text(
        f"sources:\n"
        f"  - {{name: a, annotations: {tmp_path}/a/instances.json, images: {tmp_path}/a/images, max_images: 20}}\n"
        f"  - {{name: b, annotations: {tmp_path}/b/instances.json, images: {tmp_path}/b/images, split: val}}\n"
    )
    found = planned(capsys, "build", f"--sources={tmp_path}/mix.yaml", f"--output={tmp_path}/out", "--name=mix")
    assert values(found, "counts") == {"images": 50, "boxes": 250, "images rejected": 0}
    assert found["splits"]["val"]["images"] >= 30


def test_images_of_several_files_are_counted_once(capsys: Capture, tmp_path: Path) -> None:
    """But for one, whose id is not the same in both."""
    write_dataset(tmp_path / "data", 300, target_bytes=5_000)
    source = json.loads((tmp_path / "data" / "instances.json").read_bytes())
    captions = [
        {"id": n, "image_id": image["id"], "caption": f"Picture {n}."} for n, image in enumerate(source["images"])
    ]
    more = {"images": list(source["images"]), "annotations": captions, "categories": []}
    more["images"][7] = more["images"][7] | {"id": 12345}
    (tmp_path / "data" / "captions.json").write_text(json.dumps(more))
    annotations, images = tmp_path / "data", tmp_path / "data" / "images"
    flags = [f"--annotations={annotations}", f"--images={images}", f"--output={tmp_path}/out", "--name=made"]
    found = planned(capsys, "build", *flags)
    counts = build_dataset(tmp_path, annotations, images).manifest["counts"]
    assert (counts["images"]["read"], counts["images"]["rejected"]) == (301, 2)
    assert values(found, "counts") == {
        "images": 301,
        "boxes": counts["boxes"]["read"],
        "images rejected": pytest.approx(2),
    }


def test_large_tables_are_known_from_their_first_part(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path / "data", 300, target_bytes=5_000)
    rows = [f"{i:07d}.jpg,{10 + b},20,{50 + b},80,dog" for i in range(300) for b in range(4)]
    table = tmp_path / "boxes.csv"
    table.write_text("\n".join(["filename,xmin,ymin,xmax,ymax,class", *rows, ""]))
    monkeypatch.setattr(plan_annotations, "WHOLE_BYTES", 10_000)
    flags = [f"--annotations={table}", f"--images={tmp_path}/data/images", f"--output={tmp_path}/out", "--name=x"]
    found = planned(capsys, "build", *flags)
    assert values(found, "counts")["images"] == within(300, 0.05)
    assert values(found, "counts")["boxes"] == within(1200, 0.05)
    assert found["counts"]["boxes"]["margin"] > 0


def test_plan_of_a_detection(capsys: Capture, model: Path, tmp_path: Path) -> None:
    clip = write_shapes_clip(tmp_path / "clip.mp4", 90)
    flags = ["--exports=coco,jsonl", "--frame_stride=2"]
    found = planned(capsys, "detect", f"--videos={clip}", f"--model={model}", f"--output={tmp_path}/out", *flags)
    assert not (tmp_path / "out").exists()
    run = run_detect(capsys, clip, model, tmp_path / "out", *flags)
    counts = values(found, "counts")
    frames = run.manifest["counts"]["frames"]
    assert counts["frames"] == frames["expected"]
    assert counts["frames to detect in"] == frames["processed"]
    assert counts["segments"] == run.manifest["counts"]["segments"]
    assert counts["detections"] == within(run.manifest["counts"]["detections"])
    assert values(found, "bytes")["results"] == within(folder_bytes(tmp_path / "out"))


def test_a_given_rate_is_taken_and_no_model_is_run(capsys: Capture, model: Path, tmp_path: Path) -> None:
    clip = write_shapes_clip(tmp_path / "clip.mp4", 90)
    argv = ["detect", f"--videos={clip}", f"--model={model}", f"--output={tmp_path}/out", "--plan_rate=3"]
    found = planned(capsys, *argv)
    detect = next(stage for stage in found["stages"] if stage["name"] == "detect segments")
    assert detect["seconds"] == pytest.approx(30)
    assert any("rate was given" in note for note in found["notes"])


def test_headers_of_more_videos_are_believed(
    capsys: Capture, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for frames in (30, 60, 90):
        write_shapes_clip(tmp_path / f"{frames}.mp4", frames)
    (tmp_path / "page.mp4").write_text("<html>404</html>" * 2000)
    monkeypatch.setattr(plan_videos, "_PROBED_BYTES", 1)
    argv = ["detect", f"--videos={tmp_path}", f"--model={model}", f"--output={tmp_path}/out", "--plan_rate=3"]
    found = planned(capsys, *argv, "--frame_stride=3")
    counts = values(found, "counts")
    assert counts["videos"] == 3
    assert counts["frames"] == within(180, 0.02)
    assert counts["frames to detect in"] == within(60, 0.05)
    assert "videos: 1 of 4 were read through, of 2 the header" in found["notes"]


def test_text_fits_a_screen_and_names_prices(capsys: Capture, tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", 20, target_bytes=5_000)
    (tmp_path / "prices.yaml").write_text("source: our contract\ncurrency: KRW\nvcpu_hour: 70\n")
    flags = [f"--annotations={tmp_path}/data/instances.json", f"--output={tmp_path}/out", "--name=made"]
    argv = ["plan", "build", *flags, f"--images={tmp_path}/data/images", f"--plan_prices={tmp_path}/prices.yaml"]
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    assert "cost (KRW)" in out
    assert "our contract; as in the examples: memory_gb_hour" in out
    assert len(out.splitlines()) <= 50
    assert max(map(len, out.splitlines())) <= 160


MISTAKES = {
    "no command": ([], "boxmill plan build|detect"),
    "another command": (["verify"], "boxmill plan build|detect"),
    "build without a name": (["build", "--annotations=a.json", "--output=out"], "--name is missing"),
    "annotations that are not there": (
        ["build", "--annotations=/nowhere/a.json", "--output=out", "--name=x"],
        "--annotations=/nowhere/a.json does not exist",
    ),
    "misspelt flag": (["build", "--plan_worker=3"], "did you mean --plan_workers?"),
    "no number of workers": (["build", "--plan_workers=many"], "--plan_workers=many"),
    "prices that are not there": (["build", "--plan_prices=/nowhere/p.yaml"], "--plan_prices=/nowhere/p.yaml cannot"),
    "detect without a model": (["detect", "--videos=a.mp4", "--output=out"], "--model is missing"),
    "videos that are not there": (["detect", "--videos=/nowhere.mp4", "--model=m", "--output=o"], "/nowhere.mp4"),
}


@pytest.mark.parametrize(("argv", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_ends_in_one_sentence(capsys: Capture, argv: list[str], expected: str) -> None:
    assert plan.main(argv) == 1
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_plan_of_a_build_in_the_cloud(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset(tmp_path / "data", 30, target_bytes=5_000)
    (tmp_path / "data" / "prices.yaml").write_text("vcpu_hour: 3\n")
    for gcs in cloud("in", "out", monkeypatch=monkeypatch):
        gcs.put_folder("in", "shop", tmp_path / "data")
        flags = ["--annotations=gs://in/shop/*.json", "--images=gs://in/shop/images", "--output=gs://out/data"]
        found = planned(capsys, "build", *flags, "--name=shop", "--plan_prices=gs://in/shop/prices.yaml")
        assert values(found, "counts") == {"images": 30, "boxes": 150, "images rejected": 0}
        assert found["prices"]["vcpu_hour"] == 3
        assert not gcs.names("out")
