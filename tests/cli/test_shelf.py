"""Who of the staff may own an episode, by the rota and the protocol."""

from pathlib import Path

import pytest

from cli.output import Trouble
from cli.shelf import find_owner
from protocol.rota import Rota
from protocol_specs.loader import load, load_protocol

SPECS = Path(__file__).parents[2] / "protocol_specs"
CRISIS = load_protocol(SPECS / "virtual_iop_crisis.yaml")


@pytest.fixture
def rota() -> Rota:
    return load(SPECS / "rota.yaml", Rota)


@pytest.mark.parametrize("name", ["maya", "sam", "ruth", "dora"])
def test_clinicians_may_own_an_episode(name: str, rota: Rota) -> None:
    assert find_owner(rota, name, CRISIS).id == name


@pytest.mark.parametrize(
    ("name", "message", "mend"),
    [
        ("tess", "tess may not own an episode", "an episode goes to a therapist or on_call"),
        ("finn", "finn may not own an episode", "such as maya, sam"),
        ("mya", "mya is not on the staff", "did you mean `maya`"),
    ],
)
def test_nobody_else_does_and_the_remedy_names_who_does(name: str, message: str, mend: str, rota: Rota) -> None:
    with pytest.raises(Trouble) as refused:
        find_owner(rota, name, CRISIS)
    assert str(refused.value) == message
    assert mend in refused.value.mend
