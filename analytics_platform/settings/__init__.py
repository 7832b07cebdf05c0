"""Every environment variable that the platform reads, typed and checked in one place.

``loader`` has ``Settings``; the other modules of settings hold its parts. No other package reads the environment.
"""
