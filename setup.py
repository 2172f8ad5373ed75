"""Packaging of Boxmill. Versions here are ranges that work; requirements.txt holds the exact ones that CI runs."""

from setuptools import setup

TENSORFLOW = "tensorflow>=2.16,<2.22"

setup(
    name="boxmill",
    version="0.1.0",
    description="Annotated images to TFRecord datasets, and detectors over video, on Apache Beam",
    long_description="See README.md",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    # Listed one by one: tests and benchmarks never travel to workers.
    packages=[
        "pipelines",
        "transforms",
        "transforms.annotations",
        "transforms.comparison",
        "transforms.detections",
        "transforms.detectors",
        "transforms.examples",
        "transforms.images",
        "transforms.ledger",
        "transforms.masks",
        "transforms.planning",
        "transforms.shards",
        "transforms.sources",
        "transforms.splits",
        "transforms.storage",
        "transforms.verification",
        "transforms.videos",
    ],
    package_data={"transforms.sources": ["*.json"]},
    install_requires=[
        "absl-py>=2.1,<3",
        "apache-beam>=2.77,<2.78",
        "defusedxml>=0.7,<0.8",
        "google-cloud-storage>=2.16,<4",
        "google-crc32c>=1.5,<2",
        "numpy>=1.26,<2.5",
        "pillow>=11.3,<13",
        "pyarrow>=18,<26",
        "pyyaml>=6,<7",
        "requests>=2.31,<3",
        "rich>=13,<16",
        "urllib3>=2,<3",
        "zstandard>=0.21,<1",
    ],
    extras_require={
        "video": ["av>=14,<19", TENSORFLOW],
        "gcp": ["apache-beam[gcp]>=2.77,<2.78"],
        "heic": ["pillow-heif>=1,<2"],
        "report": ["tensorboard>=2.16,<2.22"],
        "dev": [
            "hypothesis>=6,<7",
            "mypy>=1.13,<3",
            "pillow-heif>=1,<2",
            "psutil>=6,<8",
            "pycocotools>=2.0.8,<3",
            "pytest>=8,<10",
            "pytest-xdist>=3,<4",
            "ruff>=0.8,<1",
            "tensorflow-datasets>=4.9,<5",
            TENSORFLOW,
        ],
    },
    entry_points={
        "console_scripts": [
            "boxmill=pipelines.cli:run",
            "boxmill-worker=pipelines.remote_worker:main",
            "boxmill-worker-pool=pipelines.worker_pool:main",
        ]
    },
)
