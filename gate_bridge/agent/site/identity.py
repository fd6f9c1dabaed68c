"""Who a lane says that it is, and to which bridge."""

from gate_bridge.agent.credentials import GateCredentials
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.site.settings import BridgeSettings, LaneSettings
from parking.kit.errors import InvalidInputError


def agent_options(lane: LaneSettings, bridge: BridgeSettings) -> AgentOptions:
    """Return how a lane's agent is set up."""
    return AgentOptions(
        url=bridge.url,
        lane_id=lane.lane_id,
        token=lane.token or None,
        certificate=lane.certificate,
        key=lane.key,
        tls_ca=bridge.ca,
        plain_allowed=bridge.plain_allowed,
        reconnect_s_max=bridge.reconnect_s_max,
        offline=lane.offline,
    )


def check_identity(lane: LaneSettings, bridge: BridgeSettings) -> None:
    """Refuse what no bridge would take, before anything runs.

    A certificate that is out of its time is none of it: the lane works without network, and says
    so when it connects.

    Raises:
        InvalidInputError: naming the lane's or the bridge's key.
    """
    try:
        agent_options(lane, bridge).check()
    except InvalidInputError as error:
        where = "bridge" if error.field == "url" else f"lane.{lane.name}"
        raise InvalidInputError(f"{where}.{error.field}", error.expected) from error
    if lane.certificate is None:
        return
    where = f"lane.{lane.name}.certificate"
    try:
        named = GateCredentials(lane.certificate, lane.key, bridge.ca).lane_name()
    except InvalidInputError as error:
        raise InvalidInputError(where, f"a certificate in PEM: {lane.certificate}") from error
    if named != str(lane.lane_id):
        whose = f"lane {named}" if named else "no lane"
        raise InvalidInputError(
            where, f"one of lane {lane.lane_id}; {lane.certificate} is one of {whose}"
        )
