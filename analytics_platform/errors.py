"""The base class of every error that a person can act on; each error itself stands beside the code that raises it."""

from __future__ import annotations

from analytics_platform.system.plain_text import on_one_line


class UserError(Exception):
    """A person can act on it: each fault says what is wrong, where, and what to do; it is shown without a trace.

    Args:
        faults: One sentence for each fault, most often a single one. They may hold file names and other text of
            people: line ends and control characters are written out when the error is shown.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong, one line each."""
        return tuple(on_one_line(str(fault)) for fault in self.args)

    def __str__(self) -> str:
        """Return the lines."""
        return "\n".join(self.faults)
