"""What can go wrong, as one small tree: catch `SoloistError` to catch everything Soloist raises on purpose."""


class SoloistError(Exception):
    """Base of all errors that Soloist raises on purpose; its text is one line meant for the user."""


class ConfigError(SoloistError):
    """A setting that cannot be used: it names the setting, its value and what was expected."""


class ModelError(SoloistError):
    """A model bundle that cannot be loaded, or that does not fit the front end."""


class InstallError(SoloistError):
    """A service that cannot be installed on this system."""


class RuntimeMissingError(SoloistError):
    """A TFLite interpreter or a system library that is not installed."""


class SourceError(SoloistError):
    """Audio that cannot be opened or read."""


class SourceLostError(SourceError):
    """A device that is not there, or that stopped delivering; it may come back."""


class AddressError(SoloistError):
    """An address that cannot be listened on."""


class LogError(SoloistError):
    """A session log that cannot be written or read."""


class OutputError(SoloistError):
    """Standard output that cannot be written."""


class BenchError(SoloistError):
    """A measurement that cannot be taken."""


class TeachError(SoloistError):
    """A name that cannot be taught, or a file of a taught name that cannot be used."""


class ConnectionLostError(SoloistError):
    """There is no connection to the server now."""


class RefusedError(SoloistError):
    """A server that does not let us in; asking again would not help.

    Parameters
    ----------
    message : str
        What it said.
    code : str, optional
        The protocol's error code, where it is about the token: `unauthorized` for none, `wrong-token` for another one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class ProtocolError(SoloistError):
    """A message that does not follow protocol version 1.

    Parameters
    ----------
    code : str
        Machine-readable reason, one of the protocol's error codes.
    message : str
        What was got and what was expected.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
