"""Finds personal data in columns of text, redacts it, and keeps it encrypted.

``find_pii`` returns the places, ``redact`` takes the values out, and ``sealing`` encrypts them. ``transform.privacy``
decides which kinds are redacted or kept.
"""

from analytics_platform.transform.pii.finding import find_pii
from analytics_platform.transform.pii.spans import SPANS, kinds_found, redact, values_found

__all__ = ["SPANS", "find_pii", "kinds_found", "redact", "values_found"]
