"""Conversations and their insights, summed up: per day, customer, agent and model, and as documents.

Belongs here: pure functions from clean and insight tables to the tables of ``model.analytics_tables`` and
``model.operational_tables``. Does not belong here: metrics of one conversation (``transform``), labels (``insights``),
storing (``storage``).
"""
