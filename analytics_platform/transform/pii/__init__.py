"""Personal data in texts: found, and taken out.

Belongs here: pure functions over columns of text. ``find_pii`` says where what stands, ``redact`` takes it out,
and ``sealing`` keeps it for those who have the key. Does not belong here: what to redact, what to keep and who is a
pseudonym (``transform.privacy``).
"""

from analytics_platform.transform.pii.finding import find_pii
from analytics_platform.transform.pii.spans import SPANS, kinds_found, redact, values_found

__all__ = ["SPANS", "find_pii", "kinds_found", "redact", "values_found"]
