"""How good labels are: evaluation, corrections by people, the promotion gate, and drift."""
