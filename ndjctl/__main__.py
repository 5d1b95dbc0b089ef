"""`python -m ndjctl`."""

from ndjctl.cli.main import run_app

run_app()
