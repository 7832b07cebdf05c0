"""From the records of an export to rows, one per message: a module per shape of export.

``catalogue`` lists the shapes and recognises them. A shape is a ``shape.Shape``: a test of one record, and a function
that yields the record's messages under the names of the input columns.
"""
