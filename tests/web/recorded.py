"""Episodes of the shipped scenarios, played on the pure core and put into the records. The engine stays away."""

from __future__ import annotations

from pathlib import Path

from audit.store import Store
from protocol.episode import Episode
from protocol.program import program
from protocol.summary import summarise
from protocol_specs.loader import load, load_protocol
from rehearsal.play import play
from rehearsal.rehearse import VirtualStage, finished
from rehearsal.scenario import Scenario
from tests.web.desk import Desk

SPECS = Path(__file__).parents[2] / "protocol_specs"


async def recorded(
    web: Desk, scenario: str, protocol: str = "virtual_iop_crisis", *, steps: int | None = None
) -> Episode:
    """The episode at the end of a scenario, or after so many of its steps."""
    spec = load_protocol(SPECS / f"{protocol}.yaml")
    script = load(SPECS / "scenarios" / protocol / f"{scenario}.yaml", Scenario)
    script = script.model_copy(update={"steps": script.steps[:steps]})
    stage = VirtualStage(spec, script)
    finished(play(program(spec), script, stage))
    end = finished(stage.episode())
    assert end is not None
    store = Store(web.parts.database, web.parts.ring)
    await store.save_protocol(spec.content_hash, spec.protocol, spec.version, spec.canonical())
    await store.append(stage.trail, summarise(spec, end))
    return end
