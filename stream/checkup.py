"""What only the model, the interpreter and the files can say of the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stream import bundle, config, gate, values
from stream.classifier import Classifier
from stream.config import Reading
from stream.errors import ConfigError, ModelError, RuntimeMissingError, SourceError
from stream.reader import open_sound


def problems(reading: Reading) -> list[str]:
    """Try everything that the settings name, besides devices and addresses, which may come and go.

    Returns
    -------
    list of str
        A line for each setting that cannot be used: where it stands, its value and what is wrong with it.
    """
    settings = reading.settings
    found = []
    try:
        model = bundle.load(settings.model)
        found += strangers(reading, model.instruments, model.name)
        Classifier(model, runtime=settings.runtime, threads=settings.threads)
    except ModelError as error:
        found.append(f"{reading.called('model')} is {config.show('model', settings.model)}: {error}")
    except RuntimeMissingError as error:
        found.append(f"{reading.called('runtime')} is {config.show('runtime', settings.runtime)}: {error}")
    try:
        gate.Access.of(settings)
    except ConfigError as error:
        found.append(reading.placed(error))
    if settings.input not in ("mic", "demo", "-"):
        try:
            open_sound(settings.input).close()
        except SourceError as error:
            found.append(f"{reading.called('input')} is {config.show('input', settings.input)}: {error}")
    return found


def strangers(reading: Reading, instruments: Sequence[str], model: str) -> list[str]:
    """Say which instruments of the line-up the model does not know, a line each."""
    return [
        f"{reading.called('instruments')} names {config.show('instruments', name)}, which model {model} does not know; "
        + values.closest(name, instruments)
        for name in reading.settings.instruments or ()
        if name not in instruments
    ]


def table(reading: Reading) -> str:
    """Write each setting with its value and where it comes from."""
    settings = reading.settings
    rows = [(name, config.show(name, getattr(settings, name)), reading.origins.get(name, "default"))
            for name in config.names()]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}\n" for name, value, origin in rows)


def strays(variables: Mapping[str, str]) -> list[str]:
    """Name the variables that look like settings and are none. They are no fault: Kubernetes sets such of its own."""
    prefix, known = "SOLOIST_", [name.upper() for name in (*config.names(), "config")]
    found = []
    for variable in sorted(variables):
        name = variable.removeprefix(prefix)
        if variable.startswith(prefix) and name not in known:
            near = values.nearest(name, known)
            found.append(f"{variable} is no setting" + ("" if near is None else f"; did you mean {prefix}{near}?"))
    return found
