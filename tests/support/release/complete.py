"""A channel that is fit to be packed, or an error that says all that is missing."""

from datetime import datetime

from sealift_common.errors import ChannelError
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import ChannelStatus, status


def require_complete(channel: Channel, now: datetime | None = None) -> ChannelStatus:
    state = status(channel, now)
    if problems := state.problems():
        raise ChannelError(f"{state.channel!r} is not complete: {'; '.join(problems)}; run: {state.next_command()}")
    return state
