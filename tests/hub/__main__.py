"""A hub in a process of its own, with one large file: for benchmarks, which must not share a process with it.

    python -m tests.hub [BYTES]

prints a line of JSON (``endpoint``, ``repo``, ``path``, ``url``, ``size``, ``sha256``) and runs until its
standard input ends.
"""

import json
import sys

from tests.hub import Generated, running_hub

REPO, PATH = "bench/Large-GGUF", "large.Q4_K_M.gguf"


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000_000
    with running_hub() as hub:
        content = Generated(size)
        hub.add(REPO, {PATH: content})
        told = {
            "endpoint": hub.url,
            "repo": REPO,
            "path": PATH,
            "url": hub.resolve_url(REPO, PATH),
            "size": size,
            "sha256": content.sha256,
        }
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
