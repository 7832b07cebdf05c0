"""Reports: what a reader should know of a period, as a document, as a page and as a few sentences.

Belongs here: the report document (``report``), what is worth noticing (``findings``, ``highlights``), the
conversations worth opening (``reading_list``), its charts (``charts``) and the HTML page (``page``).
Does not belong here: computing the metrics reported, or writing files and documents; everything here is pure.
"""

from analytics_platform.analytics.reports.highlights import key_findings
from analytics_platform.analytics.reports.report import daily_report

__all__ = ["daily_report", "key_findings"]
