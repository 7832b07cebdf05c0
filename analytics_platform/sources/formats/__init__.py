"""From the bytes of a file to records: compression, encoding, separators, JSON, Parquet and spreadsheets.

The meaning of records is the subject of ``shapes``.
"""
