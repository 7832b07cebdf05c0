"""The `analytics` command: its subcommands, their arguments, their work, and their output.

No other package imports this one. A subcommand imports its dependencies when it runs, so that `--help` is quick.
"""
