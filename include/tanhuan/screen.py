"""What a person sees at the end of a night: the plan's indicators, the gates, where the published files are.

Belongs here: reading the publication and laying it out. Does not belong here: computing anything.
"""

from __future__ import annotations


def show_publication(settings, console): ...
