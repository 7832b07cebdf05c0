"""Services of the machine for every package: home folder, safe text for terminals, full disks, interruptions.

Of the platform, these modules import only ``errors`` and each other.
"""
