"""What every package needs of the machine: the home folder, safe text for terminals, full disks, interruptions.

These modules import nothing of the platform but ``errors``.
"""
