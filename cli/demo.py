"""`holdfast demo`: three crisis episodes through the real workflow with skipped time, told as stories."""

from __future__ import annotations

from cli.configuration import settings
from cli.output import FOUND, Trouble, say, say_json
from cli.shelf import protocol_file, read_directory, read_scenario, scenario_files
from protocol_specs.loader import load_protocol
from rehearsal.play import Report
from rehearsal.transcript import transcript

PROTOCOL = "virtual_iop_crisis"
SCENARIOS = ["disconnect_at_imminent_risk", "follow_up_missed_three_times", "php_has_no_place"]


def play_all() -> list[Report]:
    """The reports of the three episodes. Raises Trouble where there is no server that skips time."""
    from cli.durable import perform  # Temporal's library; telling the stories does without it

    file = protocol_file(PROTOCOL)
    spec, directory = load_protocol(file), read_directory(settings())
    return [perform(spec, read_scenario(path)[1], directory) for path in scenario_files(file, SCENARIOS)]


def told(reports: list[Report]) -> str:
    """The stories, one after another."""
    return "\n\n".join(transcript(report) for report in reports)


def show(reports: list[Report], *, as_json: bool) -> None:
    """The stories; or, as JSON, one object for each."""
    if as_json:
        say_json(
            [
                {"scenario": one.scenario.scenario, "passed": one.passed, "transcript": transcript(one)}
                for one in reports
            ]
        )
    else:
        say(told(reports).rstrip("\n"))
    if not all(report.passed for report in reports):
        raise Trouble("an episode went otherwise than expected", "read the end of each story", FOUND)
