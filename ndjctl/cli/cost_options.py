"""Options that several commands of `ndjctl cost` take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FilesPerDayOption = Annotated[
    str | None, typer.Option("--files-per-day", help="Instead of load.files_per_day, evenly.", metavar="N")
]
FileSizeOption = Annotated[
    str | None, typer.Option("--file-size", help="Of every file, such as 200KB, 64MiB or 3.5GB.", metavar="SIZE")
]
PricesOption = Annotated[
    Path | None,
    typer.Option("--prices", readable=False, help="Take all prices from this file instead.", metavar="FILE"),
]
RegionOption = Annotated[
    str | None,
    typer.Option("--region", help="Whose prices; left out, those of the profile's region.", metavar="REGION"),
]
