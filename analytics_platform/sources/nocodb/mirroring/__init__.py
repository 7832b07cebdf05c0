"""Keep a local mirror of NocoDB's rows up to date."""
