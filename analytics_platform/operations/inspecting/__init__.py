"""`analytics inspect`: what files or the tables of a NocoDB server are, and the mapping for them."""
