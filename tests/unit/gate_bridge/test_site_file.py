"""A site file: what it sets up, and which key is wrong."""

import json
import re
from dataclasses import fields
from datetime import UTC, timedelta, timezone
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from cryptography import x509
from typer.testing import CliRunner

from gate_bridge.agent.machines.contacts import ContactUse, RelayInput, Wiring
from gate_bridge.agent.machines.shared_arm import mirrored
from gate_bridge.agent.site.barriers import BARRIER_DRIVERS
from gate_bridge.agent.site.description import describe
from gate_bridge.agent.site.host import check_site
from gate_bridge.agent.site.makers import DRIVER_NAMES
from gate_bridge.agent.site.settings import Contact, LoopKind
from gate_bridge.agent.site.site_file import read_site
from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from sesame.commands.gate_agent import gate_agent_app
from tests.factories.tls_files import Authority

LANE = "01a20672-a63b-7775-89f6-06f459bded60"
OTHER_LANE = "01a20672-a63b-7775-89f6-06f459bded61"

SITE = f"""
name = "depot"
data = "data"

[bridge]
url = "wss://bridge.example:8443"

[listener]
host = "0.0.0.0"
port = 8090

[[lane]]
id = "{LANE}"
name = "entry"
loop = "contact"
token_file = "secret"

[lane.barrier]
driver = "shelly"
url = "http://10.0.0.9"
options = {{ output = 1 }}

[lane.contacts]
loop = "!barrier:2"
exit_loop = "front:1"

[lane.timing]
arm_rise_s = 2

[lane.offline]
away_s = 20

[[device]]
name = "front"
lane = "entry"
driver = "hikvision"
zone = "Asia/Shanghai"
username = "admin"
password_file = "secret"
stream = "rtsp://10.0.0.8/main"
sees = "rear"
"""


@pytest.fixture
def site_path(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("p@ss/word\n")
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    return path


def test_a_file_says_what_stands_where(site_path: Path) -> None:
    site = read_site(site_path)
    [lane], [device] = site.lanes, site.devices
    assert site.messages == site_path.parent / "data" / "depot.messages.sqlite"
    assert (lane.lane_id, lane.journal) == (UUID(LANE), site_path.parent / "data/entry.sqlite")
    assert (lane.loop, lane.token, lane.certificate) == (LoopKind.CONTACT, "p@ss/word", None)
    assert lane.contacts == {ContactUse.EXIT_LOOP: Contact("front", 1)}
    assert lane.wiring.inputs == {2: RelayInput(ContactUse.LOOP, is_inverted=True)}
    assert lane.wiring.uses == {ContactUse.LOOP, ContactUse.EXIT_LOOP}
    assert (lane.wiring.arm_rise_s, lane.wiring.arm_open_s) == (2.0, 30.0)
    assert (lane.offline.away_s, lane.offline.read_s) == (20.0, 3.0)
    assert (lane.barrier.driver, lane.barrier.options) == ("shelly", {"output": 1})
    assert (device.settings.password, device.settings.zone) == (
        "p@ss/word",
        ZoneInfo("Asia/Shanghai"),
    )
    assert (device.stream, device.sees_rear) == ("rtsp://admin:p%40ss%2Fword@10.0.0.8/main", True)
    assert check_site(site, SystemClock())["front"].name == "hikvision"


def test_a_description_names_everything_and_no_secret(site_path: Path) -> None:
    text = "\n".join(describe(read_site(site_path)))
    assert "posts to http://0.0.0.0:8090/devices/front, by HTTP Digest as admin" in text
    assert "while its loop says so" in text
    assert "the arm rises by: shelly at http://10.0.0.9" in text
    assert "pictures from rtsp://10.0.0.8" in text
    assert "p@ss" not in text
    assert "p%40ss" not in text


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", UTC),
        ("+08:00", timezone(timedelta(hours=8))),
        ("-03:30", timezone(-timedelta(hours=3.5))),
    ],
)
def test_a_clocks_zone_is_a_name_or_an_offset(
    site_path: Path, zone: str, expected: timezone
) -> None:
    site_path.write_text(SITE.replace("Asia/Shanghai", zone))
    assert read_site(site_path).devices[0].settings.zone == expected


def test_a_lane_without_a_loop_is_one_whose_cameras_stand_in(site_path: Path) -> None:
    text = SITE.replace('"contact"', '"camera"').replace('loop = "!barrier:2"\n', "")
    site_path.write_text(text)
    [lane] = read_site(site_path).lanes
    assert (lane.loop, lane.wiring.inputs, lane.stay_s) == (LoopKind.CAMERA, {}, 120.0)
    assert ContactUse.LOOP in lane.wiring.uses


def test_a_secret_may_come_from_the_environment(
    site_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "from outside")
    text = SITE.replace('password_file = "secret"', 'password_environment = "CAMERA_PASSWORD"')
    site_path.write_text(text)
    assert read_site(site_path).devices[0].settings.password == "from outside"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("[bridge]\nurl", "[bridge]\nurn", "bridge.url"),
        ('[bridge]\nurl = "wss://bridge.example:8443"', "", "bridge"),
        ("[bridge]\n", '[bridge]\nspeed = "high"\n', "bridge.speed"),
        ("port = 8090", 'port = "8090"', "listener.port"),
        ("port = 8090", "port = 70000", "listener.port"),
        ('[listener]\nhost = "0.0.0.0"\nport = 8090', "", "listener"),
        (f'id = "{LANE}"', 'id = "entry"', "lane[1].id"),
        ('loop = "contact"', 'loop = "induction"', "lane[1].loop"),
        ('loop = "!barrier:2"\n', "", "lane[1].contacts.loop"),
        ('loop = "contact"', 'loop = "camera"', "lane[1].contacts.loop"),
        ('"!barrier:2"', '"barrier"', "lane[1].contacts.loop"),
        ('"front:1"', '"rear:1"', "lane[1].contacts.exit_loop"),
        ('token_file = "secret"', 'token = "abc"', "lane[1].token"),
        ('token_file = "secret"', "", "lane[1].certificate"),
        ('token_file = "secret"', 'token_file = "nowhere"', "lane[1].token_file"),
        ("token_file", 'certificate = "secret"\ntoken_file', "lane[1].certificate"),
        ("arm_rise_s = 2", "arm_rise_s = -1", "lane[1].timing.arm_rise_s"),
        ("away_s = 20", "away = 20", "lane[1].offline.away"),
        ("[lane.barrier]", "[lane.barriere]", "lane[1].barrier"),
        ('name = "front"', 'name = "Front Camera"', "device[1].name"),
        ('lane = "entry"', 'lane = "exit"', "device[1].lane"),
        ("Asia/Shanghai", "Mars/Base", "device[1].zone"),
        ('username = "admin"\n', "", "device[1].username"),
        ('password_file = "secret"\nstream', 'password = "x"\nstream', "device[1].password"),
        ("rtsp://10.0.0.8", "rtsp://user:pw@10.0.0.8", "device[1].stream"),
        ("rtsp://10.0.0.8", "file:///etc", "device[1].stream"),
        ('sees = "rear"', 'sees = "left"', "device[1].sees"),
        ('sees = "rear"', 'broker = "b"', "device[1].broker"),
        ('sees = "rear"', 'topic = "cars/#"', "device[1].topic"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_the_table_and_the_key(
    site_path: Path, old: str, new: str, field: str
) -> None:
    assert old in SITE
    site_path.write_text(SITE.replace(old, new, 1))
    with pytest.raises(InvalidInputError) as raised:
        read_site(site_path)
    assert raised.value.field == f"site.toml: {field}"


BROKER = '[[broker]]\nname = "yard"\nurl = "mqtt://127.0.0.1"\n'


@pytest.mark.parametrize(
    "topic", ["", "cars/#/1", "#/cars", "cars#", "cars/a+", "a+/cars", "cars/+#", "##"]
)
def test_a_topic_that_no_broker_takes_is_named(site_path: Path, topic: str) -> None:
    publishes = f'broker = "yard"\ntopic = "{topic}"' if topic else 'broker = "yard"'
    site_path.write_text(SITE.replace('sees = "rear"', publishes) + BROKER)
    with pytest.raises(InvalidInputError) as raised:
        read_site(site_path)
    assert raised.value.field == "site.toml: device[1].topic"


@pytest.mark.parametrize(
    "topic", ["cars", "cars/#", "+/cars", "+/+/#", "#", "/cars/", "$share/a/cars"]
)
def test_a_topic_that_a_broker_takes_is_read(site_path: Path, topic: str) -> None:
    publishes = f'broker = "yard"\ntopic = "{topic}"'
    site_path.write_text(SITE.replace('sees = "rear"', publishes) + BROKER)
    assert read_site(site_path).devices[0].topic == topic


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('driver = "hikvision"', 'driver = "polaroid"', "front.driver"),
        ('driver = "shelly"', 'driver = "winch"', "lane.entry.barrier.driver"),
        ("output = 1", "outputs = 1", "lane.entry.barrier.options.outputs"),
        ("http://10.0.0.9", "10.0.0.9", "lane.entry.barrier.url"),
        ('sees = "rear"', 'sees = "rear"\nallow_from = ["lan"]', "front.allow_from"),
    ],
)
def test_what_only_a_driver_knows_is_checked_before_anything_runs(
    site_path: Path, old: str, new: str, field: str
) -> None:
    site_path.write_text(SITE.replace(old, new, 1))
    with pytest.raises(InvalidInputError) as raised:
        check_site(read_site(site_path), SystemClock())
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("wss://bridge.example:8443", "http://bridge.example", "bridge.url"),
        ("wss://bridge.example:8443", "bridge.example:8443", "bridge.url"),
        # Off this machine the token would be readable on the network.
        ("wss://bridge.example:8443", "ws://10.0.0.1:8081", "bridge.url"),
        ('token_file = "secret"', 'certificate = "secret"', "lane.entry.certificate"),
        ('token_file = "secret"', 'certificate = "other.pem"', "lane.entry.certificate"),
        ('token_file = "secret"', 'certificate = "nobody.pem"', "lane.entry.certificate"),
    ],
)
def test_what_no_bridge_would_take_is_found_before_anything_runs(
    site_path: Path, old: str, new: str, field: str
) -> None:
    authority = Authority(site_path.parent, "authority")
    authority.issue("other", lane_name(OTHER_LANE))
    authority.issue("nobody")
    site_path.write_text(SITE.replace(old, new, 1))
    with pytest.raises(InvalidInputError) as raised:
        check_site(read_site(site_path), SystemClock())
    assert raised.value.field == field


def test_a_folder_that_is_swapped_for_another_lanes_is_named(site_path: Path) -> None:
    Authority(site_path.parent, "authority").issue("other", lane_name(OTHER_LANE))
    site_path.write_text(SITE.replace('token_file = "secret"', 'certificate = "other.pem"', 1))
    told = CliRunner().invoke(gate_agent_app, ["--site", str(site_path), "--check"])
    assert (told.exit_code, told.stdout) == (1, "")
    words = told.stderr.split()
    assert (words[0], OTHER_LANE in words) == ("lane.entry.certificate:", True)


def lane_name(lane_id: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(f"urn:sesame:lane:{lane_id}")


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        (f'[[lane]]\nid = "{LANE}"\nname = "exit"', "lane[2].id"),
        (f'[[lane]]\nid = "{OTHER_LANE}"\nname = "entry"', "lane[2].name"),
    ],
)
def test_two_lanes_are_two(site_path: Path, extra: str, field: str) -> None:
    lane = '\nloop = "contact"\ntoken_file = "secret"\ncontacts = { loop = "barrier:0" }\n'
    barrier = 'barrier = { driver = "none" }\n'
    site_path.write_text(SITE + extra + lane + barrier)
    with pytest.raises(InvalidInputError) as raised:
        read_site(site_path)
    assert raised.value.field == f"site.toml: {field}"


def test_a_file_that_is_none_says_why(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="a file that can be read"):
        read_site(tmp_path / "nowhere.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[bridge\n")
    with pytest.raises(InvalidInputError, match="TOML"):
        read_site(broken)


README = Path(__file__).parents[3] / "docs" / "gates" / "README.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_site_files_in_the_page_are_read(text: str, tmp_path: Path) -> None:
    for name in re.findall(r'= "([\w/-]+\.(?:pem|password|token))"', text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("secret-of-the-example\n")
    lanes = re.findall(r'id = "([0-9a-f-]+)"', text)
    folders = re.findall(r'certificate = "(\w+)/gate\.pem"', text)
    authority = Authority(tmp_path, "authority")
    for lane_id, folder in zip(lanes, folders, strict=True):
        authority.issue("gate", lane_name(lane_id), folder=tmp_path / folder)
    path = tmp_path / "site.toml"
    path.write_text(text)
    check_site(read_site(path), SystemClock())


def test_the_page_names_every_driver_contact_and_time() -> None:
    page = README.read_text(encoding="utf-8")
    names = [*BARRIER_DRIVERS, *DRIVER_NAMES, *ContactUse, *(item.name for item in fields(Wiring))]
    told = {"uses", "inputs"}
    assert [name for name in names if f"`{name}`" not in page and name not in told] == []
    assert len(EXAMPLES) == 5


def test_the_command_says_what_a_file_sets_up_or_which_key_is_wrong(site_path: Path) -> None:
    arguments = ["--site", str(site_path), "--check"]
    plain = CliRunner().invoke(gate_agent_app, arguments)
    assert (plain.exit_code, plain.stdout.splitlines()[0][:10]) == (0, "site depot")
    told = CliRunner().invoke(gate_agent_app, [*arguments, "--json"])
    assert json.loads(told.stdout)["lines"] == plain.stdout.splitlines()
    assert not (site_path.parent / "data").exists()
    site_path.write_text(SITE.replace("port = 8090", "port = 80900"))
    wrong = CliRunner().invoke(gate_agent_app, arguments)
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "site.toml: listener.port: expected a whole number from 0 to 65535" in wrong.stderr


SHARED = f"""
[[lane]]
id = "{OTHER_LANE}"
name = "exit"
loop = "contact"
token_file = "secret"
shares = "entry"
"""
ALONE = SITE.replace('exit_loop = "front:1"', 'exit_loop = "barrier:3"')


def test_two_lanes_share_an_arm_whose_loops_are_the_other_way_round(site_path: Path) -> None:
    site_path.write_text(ALONE.replace('sees = "rear"', 'lane_away = "exit"') + SHARED)
    site = read_site(site_path)
    entry, exit_lane = site.lanes
    assert (exit_lane.shares, exit_lane.barrier) == ("entry", entry.barrier)
    assert exit_lane.wiring == mirrored(entry.wiring)
    assert exit_lane.wiring.inputs[3] == RelayInput(ContactUse.LOOP)
    assert exit_lane.wiring.inputs[2] == RelayInput(ContactUse.EXIT_LOOP, is_inverted=True)
    assert exit_lane.wiring.arm_rise_s == 2.0
    assert site.devices[0].away_lane_id == UUID(OTHER_LANE)
    assert check_site(site, SystemClock())["front"].name == "hikvision"
    text = "\n".join(describe(site))
    assert "shares the arm of entry, the other way round" in text
    assert "front, for cars that it sees drive away" in text


def test_lanes_whose_cameras_stand_in_for_loops_share_an_arm(site_path: Path) -> None:
    lane = ALONE.replace('loop = "!barrier:2"\nexit_loop = "barrier:3"\n', "")
    both = lane.replace('sees = "rear"', 'lane_away = "exit"') + SHARED
    site_path.write_text(both.replace('"contact"', '"camera"'))
    entry, exit_lane = read_site(site_path).lanes
    assert exit_lane.wiring == entry.wiring
    assert exit_lane.wiring.uses == {ContactUse.LOOP}


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('shares = "entry"', 'shares = "gate"', "lane[2].shares"),
        ('shares = "entry"', 'shares = "exit"', "lane[2].shares"),
        ('shares = "entry"', 'shares = "entry"\ntiming = { arm_rise_s = 1 }', "lane[2].timing"),
        ('shares = "entry"', 'shares = "entry"\nbarrier = { driver = "none" }', "lane[2].barrier"),
        ('shares = "entry"', 'shares = "entry"\ncontacts = {}', "lane[2].contacts"),
        ('exit_loop = "barrier:3"', 'exit_loop = "front:1"', "lane[2].shares"),
        ('exit_loop = "barrier:3"\n', "", "lane[2].shares"),
        ('driver = "shelly"', 'driver = "reply"', "lane[2].shares"),
        ('name = "exit"\nloop = "contact"', 'name = "exit"\nloop = "camera"', "lane[2].loop"),
        ('sees = "rear"', 'lane_away = "gate"', "device[1].lane_away"),
        ('sees = "rear"', 'lane_away = "entry"', "device[1].lane_away"),
    ],
)  # fmt: skip
def test_a_lane_that_cannot_share_is_named(site_path: Path, old: str, new: str, field: str) -> None:
    text = ALONE + SHARED
    assert old in text
    site_path.write_text(text.replace(old, new, 1))
    with pytest.raises(InvalidInputError) as raised:
        read_site(site_path)
    assert raised.value.field == f"site.toml: {field}"


def test_an_arm_is_shared_by_two_lanes_at_most(site_path: Path) -> None:
    third = SHARED.replace(OTHER_LANE, OTHER_LANE[:-1] + "2").replace('"exit"', '"third"')
    site_path.write_text(ALONE + SHARED + third)
    with pytest.raises(InvalidInputError) as raised:
        read_site(site_path)
    assert raised.value.field == "site.toml: lane[2].shares"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[bridge]\nurl", "[bridge]\nurn", "a value: it is missing; there is urn"),
        ("[bridge]", "[brigde]", "a table [bridge]; there is brigde, listener, lane, device"),
        (
            "[lane.barrier]",
            "[lane.barier]",
            (
                "a table [lane.barrier], or shares = the other lane's name;"
                " there is barier, timing, offline"
            ),
        ),
    ],
)
def test_a_key_that_is_missing_is_said_with_those_that_may_be_meant_for_it(
    site_path: Path, old: str, new: str, expected: str
) -> None:
    site_path.write_text(SITE.replace(old, new, 1))
    with pytest.raises(InvalidInputError) as raised:
        read_site(site_path)
    assert raised.value.expected == expected


@pytest.mark.parametrize(
    ("new", "field", "expected"),
    [
        (
            'share = "entry"',
            "lane[2].barrier",
            "a table [lane.barrier], or shares = the other lane's name; there is share",
        ),
        (
            'shares = "entrance"',
            "lane[2].shares",
            "a lane with a barrier of its own that no other lane shares: entry",
        ),
        (
            'shares = "entry"\ntiming = { pass_s_max = 5 }',
            "lane[2].timing",
            "nothing here: it stands at entry, whose barrier this lane shares",
        ),
    ],
)
def test_a_slip_in_a_lane_that_shares_is_told_as_what_it_is(
    site_path: Path, new: str, field: str, expected: str
) -> None:
    site_path.write_text((ALONE + SHARED).replace('shares = "entry"', new, 1))
    with pytest.raises(InvalidInputError) as raised:
        read_site(site_path)
    assert (raised.value.field, raised.value.expected) == (f"site.toml: {field}", expected)


def test_an_input_says_one_thing_only(site_path: Path) -> None:
    site_path.write_text(SITE.replace('exit_loop = "front:1"', 'exit_loop = "barrier:2"'))
    with pytest.raises(InvalidInputError) as raised:
        read_site(site_path)
    assert raised.value.field == "site.toml: lane[1].contacts.exit_loop"
    assert raised.value.expected == "another input than loop, which has this one"
