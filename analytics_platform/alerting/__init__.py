"""Telling people what went wrong: each alert once, on every channel, whatever process saw it."""

from analytics_platform.alerting.alert import Alert, Kind, Links
from analytics_platform.alerting.alerts import Alerts, Delivery
from analytics_platform.alerting.channels import AlertError

__all__ = ["Alert", "AlertError", "Alerts", "Delivery", "Kind", "Links"]
