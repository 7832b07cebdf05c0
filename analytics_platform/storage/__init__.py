"""How tables persist: the Parquet lake, MongoDB, the warehouse file, and their IO managers.

Belongs here: reading and writing, atomicity, what is kept about a partition. Does not belong here:
what a table means (``model``) or how it is computed.
"""
