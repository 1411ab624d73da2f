"""What turns on the screen while something takes its time."""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner


def spinner(console: Console, text: str = "") -> Live:
    """Give a spinner that leaves what others print alone; Rich's own status would bring it to the screen."""
    return Live(
        Spinner("dots", text),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
