"""The `analytics` command: its arguments, what it prints, and the work behind each of its subcommands.

Nothing imports this package. A subcommand imports what it needs when it runs, so that `--help` is quick.
"""
