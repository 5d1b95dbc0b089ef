"""Everything the tool prints: one interface, a console form and a JSON form."""

from ndjctl.output.base import ConsoleOutput, JsonOutput, LinesOutput, Output, StreamView, View

__all__ = ["ConsoleOutput", "JsonOutput", "LinesOutput", "Output", "StreamView", "View"]
