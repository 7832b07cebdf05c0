"""Exclusive work on days: locks between the processes of one machine, leases between machines that share a lake."""
