"""The program's first step, by either name: `ndjctl` and `python -m ndjctl`."""

from __future__ import annotations

import sys

from ndjctl.errors import EXIT_INTERRUPTED


def run_app() -> None:
    """Entry point of the console script. Loading the rest takes long enough for a Ctrl-C to come in between."""
    try:
        from ndjctl.cli.main import run_app as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    run_app()
