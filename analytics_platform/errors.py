"""What a person can act on, whichever part of the platform says it.

Belongs here: the one base class that the command line knows. Does not belong here: the errors themselves; each stands
beside what raises it.
"""

from __future__ import annotations


class UserError(Exception):
    """A person can act on it: the message says what is wrong, where, and what to do; it is shown without a trace."""
