"""Reports about a period, as a document, as an HTML page and as a few sentences.

``report`` makes the document, ``findings`` and ``highlights`` the sentences, ``reading_list`` the conversations to
open, ``charts`` the charts, and ``page`` the HTML. Every function is pure and writes no file.
"""

from analytics_platform.analytics.reports.highlights import key_findings
from analytics_platform.analytics.reports.report import daily_report

__all__ = ["daily_report", "key_findings"]
