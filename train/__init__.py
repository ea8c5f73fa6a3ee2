"""Soloist's laboratory: makes the models that the service loads. Never imported by `stream`."""
