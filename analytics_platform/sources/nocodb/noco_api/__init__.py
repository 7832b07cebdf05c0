"""Talk to a NocoDB server: requests, pages, filters, and the descriptions of bases and tables."""
