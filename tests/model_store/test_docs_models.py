"""The page of models names what there is."""

import re
from pathlib import Path

from model_store.training.peer_lightgbm import PEERS
from model_store.training.trainers import TRAINERS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "models.md"


def test_page_of_models_names_each_of_them_once() -> None:
    named = re.findall(r"^\| `([a-z0-9_]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(named) == sorted([*TRAINERS, *PEERS])
