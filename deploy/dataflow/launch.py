"""What a flex template's launcher runs: the command that the image is for, with the launch's parameters as flags.

The Dockerfile sets ``BOXMILL_COMMAND`` (build or detect) and ``BOXMILL_IMAGE``, the name of the image itself: workers
run it too, so that they have what the launcher has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

IMAGE_FLAG = "--sdk_container_image"


def command_line(parameters: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The arguments of ``boxmill``."""
    arguments = [environment["BOXMILL_COMMAND"], *parameters]
    image = environment.get("BOXMILL_IMAGE")
    if image and not any(argument.startswith(IMAGE_FLAG) for argument in arguments):
        arguments.append(f"{IMAGE_FLAG}={image}")
    return arguments


if __name__ == "__main__":
    from pipelines.cli import main

    sys.exit(main(command_line(sys.argv[1:], os.environ)))
