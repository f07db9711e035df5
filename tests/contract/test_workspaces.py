"""Workspace dialects: expectations written by hand, from transcripts and on real folders."""

from pathlib import Path

import pytest

from operators.cluster.errors import PollutedReply, TransportError, WorkspaceRefused
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
        lambda: dialect.extend_command(Lease(name=name, path="/ws"), 1),
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
    with pytest.raises(PollutedReply, match=r"relative.*login shell prints"):
        dialect.parse_path(said("relative/path\n"))
    assert dialect.parse_find(said("", dialect.absent, 1)) is None


def test_no_workspace_is_concluded_only_where_the_tool_says_so(dialect: WorkspaceDialect) -> None:
    for reply in (
        Reply(127, "", "sh: ws_find: not found"),
        said("", "database is locked", 1),
        said(""),
    ):
        with pytest.raises(WorkspaceRefused):
            dialect.parse_find(reply)
    for reply in (Reply(0, "/ws/x\n", ""), Reply(0, "<\n/ws", ""), said("Welcome\n/ws/x\n")):
        with pytest.raises(TransportError):
            dialect.parse_find(reply)


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
    dialect.parse_done(run(dialect.extend_command(Lease(name="w", path=path), 5)))
    assert dialect.parse_list(run(dialect.list_command())) == [Lease(name="w", path=path)]
    dialect.parse_done(run(dialect.release_command("w")))
    assert dialect.parse_find(run(dialect.find_command("w"))) is None
    assert dialect.parse_list(run(dialect.list_command())) == []
    [aside] = (home / "work spaces" / "here" / ".released").iterdir()
    assert (aside / "data").read_text() == "kept", "nothing is deleted"
    with pytest.raises(WorkspaceRefused):
        dialect.parse_done(run(dialect.release_command("w")))
    assert not list(tmp_path.rglob("canary"))


def test_the_name_that_the_user_gave_is_kept(tmp_path: Path) -> None:
    """What a symbolic link resolves to on one login node, another may not have."""
    (tmp_path / "lustre7" / "home").mkdir(parents=True)
    (tmp_path / "scratch").symlink_to(tmp_path / "lustre7")
    run, dialect = LocalTransport(tmp_path).run, Directory(f"{tmp_path}/scratch/ws")
    path = f"{tmp_path}/scratch/ws/w"
    assert dialect.parse_path(run(dialect.allocate_command("w", 1))) == path
    assert dialect.parse_find(run(dialect.find_command("w"))) == path
    assert [lease.path for lease in dialect.parse_list(run(dialect.list_command()))] == [path]


def test_a_relative_root_is_of_the_home_as_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lustre7" / "me").mkdir(parents=True)
    (tmp_path / "home").symlink_to(tmp_path / "lustre7")
    home = tmp_path / "home" / "me"
    monkeypatch.setenv("HOME", str(home))
    run, dialect = LocalTransport(home).run, Directory("ws")
    assert dialect.parse_path(run(dialect.allocate_command("w", 1))) == f"{home}/ws/w"


def said(stdout: str, stderr: str = "", exit_code: int = 0) -> Reply:
    """A whole answer: between its marks."""
    return Reply(exit_code, f"<\n{stdout}\n>\n", stderr)


class Tools:
    """Answers as recorded, whatever stands around a command."""

    def __init__(self) -> None:
        self.recorded = RecordedTransport.from_folder(TRANSCRIPTS)

    def run(self, argv: tuple[str, ...]) -> Reply:
        start = next(i for i, word in enumerate(argv) if word.startswith("ws_"))
        reply = self.recorded.run(argv[start:])
        return said(reply.stdout, reply.stderr, reply.exit_code)


@pytest.fixture(scope="module")
def tools() -> Tools:
    return Tools()


def test_hpc_workspace_allocates_finds_and_extends(tools: Tools) -> None:
    dialect, path = HpcWorkspace(), "/lustre/ws/scratch/hpc-yieldloop"
    assert dialect.parse_path(tools.run(dialect.allocate_command("yieldloop", 10))) == path
    assert dialect.parse_find(tools.run(dialect.find_command("yieldloop"))) == path
    assert dialect.parse_find(tools.run(dialect.find_command("nosuch"))) is None
    lease = Lease(name="yieldloop", path=path)
    dialect.parse_done(tools.run(dialect.extend_command(lease, 20)))
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
def test_hpc_workspace_refuses(tools: Tools, command: tuple[str, ...], words: str) -> None:
    dialect, reply = HpcWorkspace(), tools.run(command)
    parse = dialect.parse_path if command[0] == "ws_allocate" else dialect.parse_done
    with pytest.raises(WorkspaceRefused, match=words):
        parse(reply)


def listed(text: str, user: str = "hpc") -> Reply:
    return said(f"user: {user}\n{text}")


def test_hpc_workspace_lists() -> None:
    _, reply = read_transcript(TRANSCRIPTS / "ws_list.txt")
    assert HpcWorkspace().parse_list(listed(reply.stdout)) == [
        Lease(
            name="longlived",
            path="/lustre/ws/scratch/hpc-longlived",
            remaining_s=29 * DAY_S + 23 * HOUR_S,
            extensions=2,
            filesystem="lustre",
        ),
        Lease(
            name="yieldloop",
            path="/lustre/ws/scratch/hpc-yieldloop",
            remaining_s=9 * DAY_S + 23 * HOUR_S,
            extensions=2,
            filesystem="lustre",
        ),
    ]


def test_hpc_workspace_lists_the_verbose_form_and_nothing_at_all() -> None:
    _, verbose = read_transcript(TRANSCRIPTS / "ws_list_verbose.txt")
    assert [lease.name for lease in HpcWorkspace().parse_list(listed(verbose.stdout))] == [
        "longlived",
        "yieldloop",
    ]
    assert HpcWorkspace().parse_list(listed("")) == []


def test_a_list_that_is_cut_short_is_refused() -> None:
    _, reply = read_transcript(TRANSCRIPTS / "ws_list.txt")
    with pytest.raises(PollutedReply, match="remaining"):
        HpcWorkspace().parse_list(listed(reply.stdout[:90]))
    with pytest.raises(WorkspaceRefused, match="longlived"):
        HpcWorkspace().parse_list(listed(reply.stdout[:76]))
    with pytest.raises(TransportError, match="cut short"):
        HpcWorkspace().parse_list(Reply(0, f"<\nuser: hpc\n{reply.stdout[:300]}", ""))


def test_the_name_of_a_workspace_is_its_paths() -> None:
    """ws_list cuts the account "hpc-me" off at its first dash."""
    block = (
        "id: me-yieldloop\n     workspace directory  : /lustre/ws/scratch/hpc-me-yieldloop\n"
        "     remaining time       : 0 days 23 hours\n     available extensions : 2\n"
    )
    [lease] = HpcWorkspace().parse_list(listed(block, "hpc-me"))
    assert lease.name == "yieldloop"
    assert HpcWorkspace().extend_command(lease, 3)[-3:] == ("ws_extend", "yieldloop", "3")


def test_one_name_on_two_filesystems() -> None:
    blocks = "".join(
        f"id: two\n     workspace directory  : /{where}/hpc-two\n"
        f"     remaining time       : 0 days 23 hours\n     filesystem name      : {where}\n"
        f"     available extensions : {left}\n"
        for where, left in (("scratch", 2), ("nfs", 1))
    )
    leases = {lease.path: lease for lease in HpcWorkspace().parse_list(listed(blocks))}
    command = HpcWorkspace().extend_command(leases["/nfs/hpc-two"], 3)
    assert command[-5:] == ("ws_extend", "-F", "nfs", "two", "3"), "not the other's"
    with pytest.raises(WorkspaceRefused, match=r"workspaces\.filesystem"):
        HpcWorkspace().parse_find(said("/scratch/hpc-two\n/nfs/hpc-two\n"))


def test_hpc_workspace_names_its_filesystem() -> None:
    command = HpcWorkspace("fast").allocate_command("w", 3)
    assert command[-5:] == ("ws_allocate", "-F", "fast", "w", "3")
