"""All environment variables that the platform reads, typed and checked.

``loader`` defines ``Settings``; the other modules define its parts and checks. No other package reads the environment.
"""
