"""Everything that can be said against a protocol without running it.

Findings of severity error forbid its use; warnings point at what looks wrong.
What needs a look at whole episodes is left to the proof.
"""

from __future__ import annotations

from protocol.checks.dead_ends import check_dead_ends
from protocol.checks.duties import check_duties
from protocol.checks.ground import Ground
from protocol.checks.laxity import check_laxity
from protocol.checks.names import check_names
from protocol.checks.reading import check_reading
from protocol.checks.stages import check_stages
from protocol.checks.tables import check_tables
from protocol.checks.upkeep import check_upkeep
from protocol.checks.ways import check_ways
from protocol.findings import Finding
from protocol.spec import ProtocolSpec

OF_THE_WAYS = (check_stages, check_dead_ends, check_ways)
"""They say nothing of use while the name of a stage leads nowhere."""
CHECKS = (
    check_reading,
    check_tables,
    check_stages,
    check_duties,
    check_dead_ends,
    check_laxity,
    check_upkeep,
    check_ways,
)


def check(spec: ProtocolSpec) -> list[Finding]:
    """All findings, each once, with the path, a message and a remedy. Never raises; ends in time for any spec."""
    ground = Ground(spec)
    found = dict.fromkeys(check_names(ground))
    rest = [one for one in CHECKS if one not in OF_THE_WAYS or "stage" not in ground.lost]
    return list(dict.fromkeys([*found, *(finding for one in rest for finding in one(ground))]))
