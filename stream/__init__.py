"""Soloist's service: hears a stage and tells every subscriber which instrument is in front."""

__version__ = "0.1.0"
