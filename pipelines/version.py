"""The version of this program, as it stands in manifests."""

VERSION = "0.1.0"
