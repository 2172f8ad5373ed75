"""``boxmill build`` for schedulers, which know success and failure only: written with some rejects is a success.

How many rejects are too many is said by ``--max_reject_ratio``; a build with more of them fails here, too.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from pipelines.build_tfrecords import EXIT_SOME_REJECTED, EXIT_WRITTEN, main

    code = main(sys.argv[1:])
    sys.exit(EXIT_WRITTEN if code == EXIT_SOME_REJECTED else code)
