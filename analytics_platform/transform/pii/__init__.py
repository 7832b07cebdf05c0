"""Personal data in texts: found, and taken out.

Belongs here: pure functions over columns of text. ``find_pii`` says where what stands, ``redact`` takes it out.
Does not belong here: what to redact and who is a pseudonym (``transform.privacy``).
"""

from analytics_platform.transform.pii.finding import find_pii
from analytics_platform.transform.pii.spans import SPANS, kinds_found, redact

__all__ = ["SPANS", "find_pii", "kinds_found", "redact"]
