"""Quality of labels: evaluation, corrections by people, the promotion gate, and drift."""
