"""What the shipped models record of how they were made."""

from __future__ import annotations

import shlex

import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("pedalboard", reason="needs the train extra")

from stream.recognition.bundle import load
from tests.support.tensorflow_warnings import ignore_tensorflow_warnings
from train.cli.actions import build_parser
from train.data_settings import DataSettings
from train.fitting.schedule import Schedule
from train.networks.architectures import NETWORKS, network_from_record

pytestmark = ignore_tensorflow_warnings


@pytest.mark.parametrize(("name", "network"), [("residual", "lead"), ("published", "published")])
def test_recorded_commands_and_settings_are_still_understood(name: str, network: str) -> None:
    """The command that a shipped model records is one of today's, and its settings are those of a run."""
    info = load(name).info
    program, laboratory, *words = shlex.split(info["command"])
    assert (program, laboratory) == ("soloist", "train")
    arguments = build_parser().parse_args(words)
    assert (arguments.action, arguments.name) == ("fit", name)
    settings = info["training"].get("settings")  # the oldest model has none
    if settings:
        data = {key: value for key, value in settings["data"].items() if key != "rendered_from"}
        assert DataSettings.recall(data).record() == data
        assert network_from_record(settings["variant"]) == NETWORKS[network]
        schedule = Schedule(**settings["schedule"])
        # A model that went on with all sources records how it went on.
        assert schedule.epochs == (arguments.refit or arguments.epochs)
        assert schedule.handovers == arguments.handovers


@pytest.mark.parametrize("name", ["lead", "small"])
def test_the_command_of_a_network_trained_further_is_still_understood(name: str) -> None:
    """What such a model records is a command of today, with the settings that its run had."""
    info = load(name).info
    program, laboratory, *words = shlex.split(info["command"])
    assert (program, laboratory) == ("soloist", "train")
    arguments = build_parser().parse_args(words)
    assert (arguments.action, arguments.name) == ("further", name)
    settings = info["training"]["settings"]
    asked = [arguments.network, arguments.clips, arguments.all_epochs, arguments.int8_epochs, arguments.epochs]
    recorded = [settings[key] for key in ("network", "clips", "all_epochs", "int8_epochs")]
    assert asked == [*recorded, settings["schedule"]["epochs"]]
