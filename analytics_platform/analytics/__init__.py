"""Summaries of conversations and their insights: per day, customer, agent and model, and as documents and reports.

Every function is pure: it maps clean and insight tables to the tables of ``model.tables.analytics_tables`` and
``model.tables.operational_tables``.
"""
