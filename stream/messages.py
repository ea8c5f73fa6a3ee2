"""The messages under the path that they had before version 0.2; they are in `stream.protocol.messages`."""

from stream.protocol.messages import *  # noqa: F403
