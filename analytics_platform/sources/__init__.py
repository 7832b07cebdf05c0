"""Where conversations come from: one protocol, and the sources that fulfil it.

Belongs here: reading rows, judging whether they can be used, and splitting them by UTC day. Does not belong
here: cleaning, metrics, where tables are kept, and settings, which callers pass in.
"""
