"""What goes wrong on the embedded cloud on purpose: processes of runs and functions that die at once, and settings that
are changed for a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ndjctl.embedded.environment import marker
from ndjctl.embedded.glue.spark import RUN_MARKER
from ndjctl.embedded.planted import Call, Planted
from ndjctl.embedded.processes import kill_members

_FUNCTION_VARIABLE = "AWS_LAMBDA_FUNCTION_NAME"


class Faults:
    """folder: of the embedded cloud. Kills nothing but processes that it started."""

    def __init__(self, folder: Path) -> None:
        self._marker = marker("services", folder)
        self._planted = Planted(folder)

    def begin(self, test_id: str, region: str, put_back: Sequence[Call]) -> None:
        """Before a test changes settings. put_back: the calls that undo it; they are made by end(), or by the next
        command that opens the cloud after this process has died."""
        self._planted.begin(test_id, region, put_back)

    def end(self, client: Callable[[str], Any]) -> None:
        """Puts the settings back. May be called again."""
        self._planted.end(client)

    def kill_run(self, run_id: str) -> int:
        """kill -9 of every process of a run of the job: its driver, the JVM, the workers. How many there were."""
        return kill_members(None, (RUN_MARKER, run_id))

    def kill_function(self, function: str) -> int:
        """kill -9 of every process that runs the function, in whatever it is doing. How many there were."""
        import psutil

        killed = 0
        for process in psutil.process_iter():
            try:
                if self._runs(process.environ(), function):
                    process.kill()
                    killed += 1
            except psutil.Error:
                continue
        return killed

    def _runs(self, environment: dict[str, Any], function: str) -> bool:
        return environment.get(self._marker[0]) == self._marker[1] and environment.get(_FUNCTION_VARIABLE) == function
