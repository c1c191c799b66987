"""When a supervisor should look after somebody: the flags of the program's policy, which need clinical sign-off."""

from __future__ import annotations

from audit.board import RECENT, Load

MOST_RECENT_SEVERE = 2
"""So many episodes at high or imminent risk within seven days are unremarkable; one more is flagged."""
MOST_SEVERE_CLIENTS = 5
"""So many clients at high or imminent risk at once are unremarkable; one more is flagged."""


def flags(load: Load) -> tuple[str, ...]:
    """What to talk about with this person, in words; empty when nothing stands out."""
    found: list[str] = []
    if load.recent_imminent:
        found.append(f"{_counted(load.recent_imminent, 'imminent episode')} in {RECENT.days} days: support first")
    if load.recent_severe > MOST_RECENT_SEVERE:
        found.append(f"{load.recent_severe} high or imminent episodes in {RECENT.days} days")
    if load.severe_clients > MOST_SEVERE_CLIENTS:
        found.append(f"{load.severe_clients} clients at high or imminent risk at once")
    return tuple(found)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
