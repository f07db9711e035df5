"""Workspace dialects: expectations written by hand, from transcripts and on real folders."""

from pathlib import Path

import pytest

from operators.cluster.errors import WorkspaceRefused
from operators.cluster.reply import Reply
from operators.cluster.workspaces import WORKSPACES
from operators.cluster.workspaces.directory import Directory
from operators.cluster.workspaces.hpc_workspace import HpcWorkspace
from operators.cluster.workspaces.workspace_tool import Lease, WorkspaceDialect
from tests.harness.local_transport import LocalTransport
from tests.harness.recorded_transport import RecordedTransport, read_transcript

DAY_S, HOUR_S = 86400.0, 3600.0
TRANSCRIPTS = Path(__file__).parents[1] / "transcripts" / "hpc-workspace-1.6"


@pytest.fixture(params=sorted(WORKSPACES))
def dialect(request: pytest.FixtureRequest) -> WorkspaceDialect:
    made = {"directory": Directory("/ws"), "hpc_workspace": HpcWorkspace("lustre")}
    assert set(made) == set(WORKSPACES), "every dialect is in this suite"
    return made[request.param]


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", ".hidden", "two words", "$(id)", "a" * 65])
def test_names_that_no_dialect_takes(dialect: WorkspaceDialect, name: str) -> None:
    commands = (
        lambda: dialect.allocate_command(name, 1),
        lambda: dialect.find_command(name),
        lambda: dialect.extend_command(name, 1),
        lambda: dialect.release_command(name),
    )
    for command in commands:
        with pytest.raises(WorkspaceRefused, match="letters, digits"):
            command()


def test_a_refusal_carries_the_tools_words(dialect: WorkspaceDialect) -> None:
    with pytest.raises(WorkspaceRefused, match="quota exceeded"):
        dialect.parse_path(Reply(1, "", "quota exceeded\n"))
    with pytest.raises(WorkspaceRefused, match="quota exceeded"):
        dialect.parse_done(Reply(1, "", "quota exceeded\n"))
    with pytest.raises(WorkspaceRefused, match="relative"):
        dialect.parse_path(Reply(0, "relative/path\n", ""))
    assert dialect.parse_find(Reply(1, "", "no such workspace")) is None


def test_directory_on_real_folders(tmp_path: Path) -> None:
    home = tmp_path / "home of it's $(touch canary)"
    home.mkdir()
    run, dialect = LocalTransport(home).run, Directory("work spaces/here")
    assert dialect.parse_find(run(dialect.find_command("w"))) is None
    assert dialect.parse_list(run(dialect.list_command())) == []
    path = dialect.parse_path(run(dialect.allocate_command("w", 30)))
    assert path == str(home.resolve() / "work spaces" / "here" / "w")
    (Path(path) / "data").write_text("kept")
    assert dialect.parse_path(run(dialect.allocate_command("w", 30))) == path, "may be repeated"
    assert dialect.parse_find(run(dialect.find_command("w"))) == path
    dialect.parse_done(run(dialect.extend_command("w", 5)))
    assert dialect.parse_list(run(dialect.list_command())) == [Lease(name="w", path=path)]
    dialect.parse_done(run(dialect.release_command("w")))
    assert dialect.parse_find(run(dialect.find_command("w"))) is None
    assert dialect.parse_list(run(dialect.list_command())) == []
    [aside] = (home / "work spaces" / "here" / ".released").iterdir()
    assert (aside / "data").read_text() == "kept", "nothing is deleted"
    with pytest.raises(WorkspaceRefused):
        dialect.parse_done(run(dialect.release_command("w")))
    assert not list(tmp_path.rglob("canary"))


@pytest.fixture(scope="module")
def tools() -> RecordedTransport:
    return RecordedTransport.from_folder(TRANSCRIPTS)


def test_hpc_workspace_allocates_finds_and_extends(tools: RecordedTransport) -> None:
    dialect, path = HpcWorkspace(), "/lustre/ws/scratch/hpc-yieldloop"
    assert dialect.parse_path(tools.run(dialect.allocate_command("yieldloop", 10))) == path
    assert dialect.parse_find(tools.run(dialect.find_command("yieldloop"))) == path
    assert dialect.parse_find(tools.run(dialect.find_command("nosuch"))) is None
    dialect.parse_done(tools.run(dialect.extend_command("yieldloop", 20)))
    dialect.parse_done(tools.run(dialect.release_command("longlived")))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("ws_allocate", "-F", "nosuch", "other", "5"), "existing filesystem"),
        (("ws_extend", "yieldloop", "28"), "no more extensions"),
        (("ws_extend", "nosuch", "5"), "does not exist"),
        (("ws_release", "nosuch"), "does not exist"),
    ],
)
def test_hpc_workspace_refuses(
    tools: RecordedTransport, command: tuple[str, ...], words: str
) -> None:
    dialect, reply = HpcWorkspace(), tools.run(command)
    parse = dialect.parse_path if command[0] == "ws_allocate" else dialect.parse_done
    with pytest.raises(WorkspaceRefused, match=words):
        parse(reply)


def test_hpc_workspace_lists() -> None:
    command, reply = read_transcript(TRANSCRIPTS / "ws_list.txt")
    assert HpcWorkspace().list_command() == command
    assert HpcWorkspace().parse_list(reply) == [
        Lease(
            name="longlived",
            path="/lustre/ws/scratch/hpc-longlived",
            remaining_s=29 * DAY_S + 23 * HOUR_S,
            extensions=2,
        ),
        Lease(
            name="yieldloop",
            path="/lustre/ws/scratch/hpc-yieldloop",
            remaining_s=9 * DAY_S + 23 * HOUR_S,
            extensions=2,
        ),
    ]


def test_hpc_workspace_lists_the_verbose_form_and_nothing_at_all() -> None:
    _, verbose = read_transcript(TRANSCRIPTS / "ws_list_verbose.txt")
    assert [lease.name for lease in HpcWorkspace().parse_list(verbose)] == [
        "longlived",
        "yieldloop",
    ]
    assert HpcWorkspace().parse_list(Reply(0, "", "")) == []


def test_a_list_that_is_cut_short_is_refused() -> None:
    _, reply = read_transcript(TRANSCRIPTS / "ws_list.txt")
    with pytest.raises(WorkspaceRefused, match="longlived"):
        HpcWorkspace().parse_list(Reply(0, reply.stdout[:90], ""))


def test_hpc_workspace_names_its_filesystem() -> None:
    command = HpcWorkspace("fast").allocate_command("w", 3)
    assert command == ("ws_allocate", "-F", "fast", "w", "3")
