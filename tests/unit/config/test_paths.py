"""Paths: where one guard keeps what it has, and that nobody else may look."""

import os
import stat
from pathlib import Path

import pytest

from edgeguard.config import paths as paths_module
from edgeguard.config.paths import PathNames, Paths
from edgeguard.errors import ConfigError, InUseError


@pytest.fixture
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a directory of the test's own stand for /dev/shm."""
    folder = tmp_path / "shm"
    folder.mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(f"tmpfs {folder} tmpfs rw 0 0\n", encoding="ascii")
    monkeypatch.setattr(paths_module, "SHARED_MEMORY", folder)
    monkeypatch.setattr(paths_module, "MOUNTS", mounts)
    return folder


def test_nothing_is_touched_before_create(tmp_path: Path, shared_memory: Path) -> None:
    """A client that only looks leaves no trace."""
    Paths(None, tmp_path / "state")
    assert not (tmp_path / "state").exists()
    assert not list(shared_memory.iterdir())


def test_the_run_directory_is_short_private_and_linked(tmp_path: Path, shared_memory: Path) -> None:
    """Sockets live on shared memory under a name that follows from the state directory alone."""
    paths = Paths(None, tmp_path / "state").create()
    assert paths.run_dir.parent == shared_memory
    assert stat.S_IMODE(paths.run_dir.stat().st_mode) == 0o700
    assert (tmp_path / "state" / "run").resolve() == paths.run_dir
    assert paths.control == f"ipc://{paths.run_dir}/control.ipc"
    assert Paths(None, tmp_path / "state").run_dir == paths.run_dir
    assert Paths(None, tmp_path / "other").run_dir != paths.run_dir


def test_after_a_reboot_the_link_dangles_and_create_mends_it(
    tmp_path: Path, shared_memory: Path
) -> None:
    """Shared memory is empty after a boot; the state directory is not."""
    paths = Paths(None, tmp_path / "state").create()
    paths.run_dir.rmdir()
    again = Paths(None, tmp_path / "state").create()
    assert again.run_dir == paths.run_dir
    assert again.run_dir.is_dir()
    assert again.run_dir.parent == shared_memory


def test_without_shared_memory_the_state_directory_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain directory does where there is no tmpfs."""
    monkeypatch.setattr(paths_module, "MOUNTS", tmp_path / "none")
    paths = Paths(None, tmp_path / "state").create()
    assert paths.run_dir == tmp_path.resolve() / "state" / "run"
    assert paths.run_dir.is_dir()


def test_a_directory_planted_by_another_is_refused(
    tmp_path: Path, shared_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write to shared memory must not own our sockets."""
    Paths(None, tmp_path / "state").create()
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    planted = Paths(None, tmp_path / "state").run_dir
    assert planted.parent == shared_memory
    with pytest.raises(InUseError, match="must belong to user"):
        Paths(None, tmp_path / "state").create()


def test_a_link_in_the_place_of_the_run_directory_is_refused(
    tmp_path: Path, shared_memory: Path
) -> None:
    """A symbolic link could lead our sockets anywhere."""
    run_dir = Paths(None, tmp_path / "state").run_dir
    assert run_dir.parent == shared_memory
    run_dir.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="must be a directory"):
        Paths(None, tmp_path / "state").create()


def test_a_socket_path_too_long_is_told_before_it_fails(tmp_path: Path) -> None:
    """AF_UNIX takes 107 bytes; the sentence says which key shortens it."""
    names = PathNames(run_dir=str(tmp_path / ("d" * 120)), brokers={"A": ""})
    with pytest.raises(ConfigError, match=r"set guard\.run_dir to a shorter directory"):
        Paths(names, tmp_path).create()


def test_named_endpoints_stay_as_named(tmp_path: Path) -> None:
    """--state-dir moves what follows from it, never what the file names."""
    names = PathNames(state_dir="/x", control="tcp://127.0.0.1:5", brokers={"A": "ipc:///b"})
    paths = Paths(names, tmp_path)
    assert paths.control == "tcp://127.0.0.1:5"
    assert paths.broker("A") == "ipc:///b"
    assert paths.state_dir == tmp_path.resolve()


def test_no_state_directory_is_a_sentence() -> None:
    """Neither file nor option: there is nothing to guess."""
    with pytest.raises(ConfigError, match="--state-dir"):
        Paths(None)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
@pytest.mark.usefixtures("shared_memory")
def test_roots_command_finds_the_guard_of_another_user(tmp_path: Path) -> None:
    """P6: who halts as root in an emergency looks where the state's owner has its sockets."""
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65_534, 65_534)
    assert Paths(None, state).run_dir.name.startswith("edgeguard-65534-")
    os.chown(state, 0, 0)
    assert Paths(None, state).run_dir.name.startswith("edgeguard-0-")


@pytest.mark.usefixtures("shared_memory")
def test_a_state_directory_that_may_not_be_looked_at_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P6: another user's command knows its sockets by the configuration, not by looking."""

    def refuse(path: object, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    state = tmp_path / "state"
    wanted = f"edgeguard-{os.geteuid()}-"
    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "lstat", refuse)
    paths = Paths(PathNames(state_dir=str(state), control="ipc:///srv/control.ipc"))
    monkeypatch.undo()
    assert paths.control == "ipc:///srv/control.ipc"
    assert wanted in paths.run_dir.name or paths.run_dir == state / "run"
