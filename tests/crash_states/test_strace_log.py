"""Lines as strace 6.1 and others write them, and the operations they are."""

from pathlib import Path

import pytest

from ckptcheck.crash_states.operations import Act, Operation
from ckptcheck.crash_states.strace_lines import call, lines
from ckptcheck.crash_states.strace_log import read, traced

# Each log begins so: the loader of the command names its working folder.
START = 'openat(AT_FDCWD</job>, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3</etc/ld.so.cache>'


def operations(tmp_path: Path, *texts: str, folder: str = "/job/run") -> list[Operation]:
    """Return the operations of calls of thread 7, or of the thread at the beginning of a line."""
    log = tmp_path / "log"
    numbered = [text if text[0].isdigit() else f"7 {text}" for text in (START, *texts)]
    timed = [
        f"{text.split(' ', 1)[0]} {number}.5 {text.split(' ', 1)[1]}\n"
        for number, text in enumerate(numbered)
    ]
    log.write_text("".join(timed), encoding="ascii")
    return read(log, Path(folder))


def short(found: list[Operation]) -> list[tuple[object, ...]]:
    return [
        (each.act.value, each.path, each.target or each.offset, each.data or each.size)
        for each in found
        if each.act is not Act.CLOSE
    ]


def test_a_file_is_written(tmp_path: Path) -> None:
    found = operations(
        tmp_path,
        'openat(AT_FDCWD</job>, "run/m.pt", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 3</job/run/m.pt>',
        r'write(3</job/run/m.pt>, "hi\n\1\09\"\\\377", 9) = 9',
        'write(3</job/run/m.pt>, "zz"..., 9000) = 9000',
        "fsync(3</job/run/m.pt>) = 0",
        "close(3</job/run/m.pt>) = 0",
    )
    assert found == [
        Operation(Act.CREATE, "m.pt", 1.5, 7, handle=1),
        Operation(Act.TRUNCATE, "m.pt", 1.5, 7, handle=1),
        Operation(Act.WRITE, "m.pt", 2.5, 7, handle=1, size=9, data=b'hi\n\x01\x009"\\\xff'),
        Operation(Act.WRITE, "m.pt", 3.5, 7, handle=1, offset=9, size=9000, data=b"zz"),
        Operation(Act.SYNC, "m.pt", 4.5, 7, handle=1),
        Operation(Act.CLOSE, "m.pt", 5.5, 7, handle=1),
    ]
    assert [each.is_whole for each in found[2:4]] == [True, False]


def test_no_operation(tmp_path: Path) -> None:
    assert not operations(
        tmp_path,
        'openat(AT_FDCWD</job>, "run/m.pt", O_RDONLY) = 3</job/run/m.pt>',
        'openat(AT_FDCWD</job>, "run/no.pt", O_RDWR) = -1 ENOENT (No such file or directory)',
        'unlink("run/no.pt") = -1 ENOENT (No such file or directory)',
        'write(1</job/out>, "run/m.pt", 8) = 8',
        'write(4</job/runs/m.pt>, "x", 1) = 1',
        'rename("/job/a", "/job/b") = 0',
        "+++ exited with 0 +++",
        '7 write(3</job/run/m.pt>, "half of a li',
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('rename("run/a", "run/b") = 0', ("rename", "a", "b", 0)),
        ('rename("/job/run/a", "/job/run/d/b") = 0', ("rename", "a", "d/b", 0)),
        ('rename("a", "run/b") = 0', ("arrive", "b", 0, 0)),
        ('rename("run/a", "a") = 0', ("unlink", "a", 0, 0)),
        (
            'renameat2(AT_FDCWD</job/run>, "a", 5</job/run/d>, "b", RENAME_NOREPLACE) = 0',
            ("rename", "a", "d/b", 0),
        ),
        (
            'renameat2(AT_FDCWD</job>, "run/a", AT_FDCWD</job>, "run/b", RENAME_EXCHANGE) = 0',
            ("exchange", "a", "b", 0),
        ),
        ('unlink("run/../run/a")   = 0', ("unlink", "a", 0, 0)),
        ('unlinkat(5</job/run/d>, "a", 0) = 0', ("unlink", "d/a", 0, 0)),
        ('unlinkat(5</job/run>, "d", AT_REMOVEDIR) = 0', ("rmdir", "d", 0, 0)),
        ('mkdirat(AT_FDCWD</job/run>, "d", 0777) = 0', ("mkdir", "d", 0, 0)),
        ('mkdir("run", 0777) = 0', ("mkdir", "", 0, 0)),
        ('rmdir("run/d") = 0', ("rmdir", "d", 0, 0)),
        ('link("run/a", "run/b") = 0', ("link", "a", "b", 0)),
        ('linkat(AT_FDCWD</job>, "x", AT_FDCWD</job>, "run/b", 0) = 0', ("arrive", "b", 0, 0)),
        ('symlink("../a, (b)", "run/b") = 0', ("symlink", "b", "../a, (b)", 0)),
        ('symlinkat("a", 5</job/run/d>, "b") = 0', ("symlink", "d/b", "a", 0)),
        ('truncate("run/a", 9) = 0', ("truncate", "a", 0, 9)),
        ("ftruncate(5</job/run/a>, 9) = 0", ("truncate", "a", 0, 9)),
        ("fallocate(5</job/run/a>, 0, 4, 6) = 0", ("extend", "a", 0, 10)),
        (
            "fallocate(5</job/run/a>, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 4, 3) = 0",
            ("write", "a", 4, bytes(3)),
        ),
        ('pwrite64(5</job/run/a>, "abc", 3, 70) = 2', ("write", "a", 70, b"ab")),
        (
            'writev(5</job/run/a>, [{iov_base="a,b", iov_len=3}, {iov_base="cd"..., iov_len=9}], 2) = 12',
            ("write", "a", None, b"a,bcd"),
        ),
        (
            'pwritev(5</job/run/a>, [{iov_base="ab", iov_len=2}], 1, 8) = 2',
            ("write", "a", 8, b"ab"),
        ),
        (
            "sendfile(5</job/run/a>, 4</job/run/b>, [0] => [96], 8388608) = 96",
            ("write", "a", None, 96),
        ),
        (
            "copy_file_range(3</job/x>, NULL, 5</job/run/a>, [4] => [9], 99, 0) = 5",
            ("write", "a", 4, 5),
        ),
        ("fdatasync(5</job/run>) = 0", ("sync", "", 0, 0)),
        ("syncfs(5</job/run>) = 0", ("sync", "", 0, 0)),
        (
            'write(5</job/run/a>(deleted), "x", 1) = 1',
            ("write", "a", None, b"x"),
        ),
        ('write(5</job/run/a (deleted)>, "x", 1) = 1', ("write", "a", None, b"x")),
        (
            r'write(5</job/run/m\303\251\"\n\74(,>, "x", 1) = 1',
            ("write", 'mé"\n<(,', None, b"x"),
        ),
        ('creat("run/a", 0666) = 3</job/run/a>', ("create", "a", 0, 0)),
        ('open("run/a", O_RDWR) = 3</job/run/a>', ("open", "a", 0, 0)),
    ],
)
def test_a_call(tmp_path: Path, text: str, expected: tuple[object, ...]) -> None:
    assert short(operations(tmp_path, text))[0] == expected


def test_where_a_write_begins(tmp_path: Path) -> None:
    found = operations(
        tmp_path,
        'openat(AT_FDCWD</job/run>, "a", O_RDWR|O_CREAT, 0666) = 3</job/run/a>',
        'write(3</job/run/a>, "abc", 3) = 3',
        "fcntl(3</job/run/a>, F_DUPFD_CLOEXEC, 0) = 4</job/run/a>",
        'write(4</job/run/a>, "d", 1) = 1',
        "read(0x3, 0x7f00, 0x10) = 0x5",
        "read(0x9, 0x7f00, 0x10) = 0x5",
        'pwrite64(3</job/run/a>, "x", 1, 77) = 1',
        'write(3</job/run/a>, "e", 1) = 1',
        "lseek(4</job/run/a>, -2, SEEK_END) = 40",
        'write(3</job/run/a>, "f", 1) = 1',
        "close(3</job/run/a>) = 0",
        'openat(AT_FDCWD</job/run>, "a", O_WRONLY|O_APPEND) = 3</job/run/a>',
        'write(3</job/run/a>, "g", 1) = 1',
        'write(4</job/run/a>, "h", 1) = 1',
    )
    offsets = [(each.data, each.offset) for each in found if each.act is Act.WRITE]
    assert offsets == [
        *((b"abc", 0), (b"d", 3), (b"x", 77), (b"e", 9)),
        *((b"f", 40), (b"g", None), (b"h", 41)),
    ]
    assert {each.handle for each in found if each.data == b"g"} == {2}


def test_threads_share_files_and_forks_copy_them(tmp_path: Path) -> None:
    found = operations(
        tmp_path,
        'creat("run/a", 0666) = 3</job/run/a>',
        "7 clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_THREAD, stack=0x7f} <unfinished ...>",
        '8 write(3</job/run/a>, "ab", 2 <unfinished ...>',
        "7 <... clone3 resumed> => {parent_tid=[8]}, 88) = 8",
        "7 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 9",
        "8 <... write resumed>) = 2",
        '9 chdir("run") = 0',
        "9 close(3</job/run/a>) = 0",
        '9 creat("b", 0666) = 3</job/run/b>',
        '9 rename("b", "c") = 0',
        '8 write(3</job/run/a>, "c", 1) = 1',
        '8 unlink("run/a" <unfinished ...>',
        '7 write(3</job/run/a>, "cut", 3 <unfinished ...>',
        "8 <... unlink resumed> ) = 0",
        "7 +++ killed by SIGKILL +++",
    )
    assert [(each.act.value, each.path, each.thread, each.offset) for each in found] == [
        ("create", "a", 7, 0),
        ("truncate", "a", 7, 0),
        ("write", "a", 8, 0),
        ("close", "a", 9, 0),
        ("create", "b", 9, 0),
        ("truncate", "b", 9, 0),
        ("rename", "b", 9, 0),
        ("write", "a", 8, 2),
        ("unlink", "a", 8, 0),
    ]


def test_a_number_of_a_thread_is_used_again(tmp_path: Path) -> None:
    found = operations(
        tmp_path,
        "7 clone(child_stack=NULL, flags=SIGCHLD) = 8",
        '8 chdir("other") = 0',
        "8 +++ exited with 0 +++",
        "7 clone(child_stack=NULL, flags=SIGCHLD) = 8",
        '8 unlink("run/a") = 0',
    )
    assert [each.path for each in found] == ["a"]


def test_a_synchronous_file_is_synced_by_each_write(tmp_path: Path) -> None:
    found = operations(
        tmp_path,
        'openat(AT_FDCWD</job/run>, "a", O_WRONLY|O_CREAT|O_DSYNC, 0666) = 3</job/run/a>',
        'write(3</job/run/a>, "abc", 3) = 3',
    )
    assert [each.act for each in found] == [Act.CREATE, Act.WRITE, Act.SYNC]


def test_the_folder_by_its_real_path_and_by_the_given_one(tmp_path: Path) -> None:
    real = tmp_path / "real é"
    real.mkdir()
    link = tmp_path / "link"
    link.symlink_to(real)
    escaped = str(real).replace("é", r"\303\251")
    found = operations(
        tmp_path,
        f'unlink("{link}/a") = 0',
        f'unlink("{escaped}/b") = 0',
        f'write(3<{escaped}/c>, "x", 1) = 1',
        folder=str(link),
    )
    assert [each.path for each in found] == ["a", "b", "c"]


def test_lines_that_are_no_calls(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("7 1.0 exit_group(0) = ?\n7 1.0 --- SIGCHLD {si_signo=SIGCHLD} ---\nstrace: x\n")
    assert [call(line) for line in lines(log) if line.name == b"exit_group"] == [None]
    assert read(log, tmp_path) == []


def test_the_command() -> None:
    words = traced(["python", "train.py"], Path("a/log"), kept=64)
    assert words[0] == "strace"
    assert words[-5:] == ["-o", "a/log", "--", "python", "train.py"]
    assert words[words.index("-s") + 1] == "64"


@pytest.mark.parametrize(
    ("synced", "moved", "is_synced"),
    [
        ("fsync(3</tmp/m.pt>) = 0", 'rename("/tmp/m.pt", "run/m.pt") = 0', True),
        ("fdatasync(3</tmp/new/m.pt>) = 0", 'rename("/tmp/new", "run/new") = 0', True),
        ("fsync(3</tmp/other.pt>) = 0", 'rename("/tmp/m.pt", "run/m.pt") = 0', False),
        ("fsync(3</tmp/m.pt>) = -1 EIO", 'rename("/tmp/m.pt", "run/m.pt") = 0', False),
    ],
)
def test_what_comes_from_outside_may_be_synced(
    tmp_path: Path, synced: str, moved: str, is_synced: bool
) -> None:
    (found,) = operations(tmp_path, 'chdir("/job") = 0', synced, moved)
    assert (found.act, found.is_synced) == (Act.ARRIVE, is_synced)
