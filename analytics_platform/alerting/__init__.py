"""Alerts about failures: each alert is delivered to every channel, without repeats, whichever process raised it."""

from analytics_platform.alerting.alert import Alert, Kind, Links
from analytics_platform.alerting.alerts import Alerts, Delivery
from analytics_platform.alerting.channels import AlertError

__all__ = ["Alert", "AlertError", "Alerts", "Delivery", "Kind", "Links"]
