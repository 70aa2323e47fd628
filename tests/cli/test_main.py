"""The command as a shell sees it: exit codes, one clear line, never a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.peers.pictures import jpeg
from tests.processes import ROOT
from typer.testing import CliRunner

from wayside import __version__
from wayside.cli import main

Shell = tuple[int, str, str]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: Path):
    """Run the entry point of the package with arguments; return exit code, output and error output."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Shell:
        monkeypatch.setattr(sys, "argv", ["wayside", *arguments])
        with pytest.raises(SystemExit) as ended:
            main.app()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


def test_the_version(shell):
    assert shell("version") == (0, f"{__version__}\n", "")


def test_help_lists_the_commands(shell):
    code, out, _ = shell("--help")
    assert code == 0
    assert all(name in out for name in ("sources", "models", "counts", "fetch", "analyse", "ingest", "demo", "bench"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["sources", "--help"], ["counts", "query", "--help"], ["analyse", "--help"], ["ingest", "--help"],
        ["demo", "--help"], ["bench", "--help"],
    ],
)  # fmt: skip
def test_every_command_has_help(shell, arguments: list[str]):
    assert shell(*arguments)[0] == 0


WRONG_USAGE = {
    "unknown command": (["fly"], "No such command 'fly'"),
    "unknown option": (["ingest", "--hurry"], "No such option: --hurry"),
    "neither folder nor picture": (["analyse"], "give either a FOLDER or --current PICTURE"),
    "both": (["analyse", ".", "--current", "a.jpg"], "give either a FOLDER or --current PICTURE"),
    "no such folder": (["analyse", "nowhere"], "'nowhere' does not exist"),
    "neighbours of a folder": (["analyse", ".", "--next", "a.jpg"], "go with --current"),
    "a folder for a picture": (["analyse", "--current", "."], "is a directory"),
    "no boxes": (["analyse", "--current", "a.jpg", "--boxes", "b.json"], "'b.json' does not exist"),
    "format": (["counts", "query", "--format", "xml"], "'xml' is not one of 'table', 'json', 'csv'"),
    "limit": (["counts", "query", "--limit", "0"], "should be greater than or equal to 1"),
    "no moment": (["counts", "query", "--since", "tomorrow"], "Invalid value for '--since'"),
    "backwards": (["counts", "query", "--since", "2026-06-17", "--until", "2026-06-16"], "--since lies after --until"),
    "slots": (["demo", "--slots", "1"], "should be greater than or equal to 3"),
}


@pytest.mark.parametrize(("arguments", "complaint"), WRONG_USAGE.values(), ids=WRONG_USAGE)
def test_wrong_usage_ends_with_2_and_says_why(shell, arguments: list[str], complaint: str):
    code, out, err = shell(*arguments)
    assert (code, out) == (2, "")
    assert " ".join(complaint.split()) in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


REFUSED = {
    "slot": (["ingest", "--slot", "20260616T0705Z"], "does not start on a multiple of ten minutes"),
    "no slot": (["ingest", "--slot", "now"], "'now' is not a slot: write 20200501T0050Z or 2020-05-01T00:50Z"),
    "source": (["ingest", "--source", "Nowhere"], "there is no source 'Nowhere'"),
    "pipeline": (["ingest", "--pipeline", "NobodysV1"], "pipeline 'NobodysV1' is not listed; there are Faulty"),
    "pipeline id": (["analyse", "--current", "a.jpg", "--pipeline", "a/b"], "pipeline 'a/b' is not valid"),
    "no benchmark": (["bench", "web", "speed"], "there is no benchmark speed; there are "),
    "empty folder": (["analyse", "."], "no picture lies in .: looked for .jpeg, .jpg, .png, .webp"),
}


@pytest.mark.parametrize(("arguments", "complaint"), REFUSED.values(), ids=REFUSED)
def test_what_wayside_refuses_ends_with_1_and_one_line(shell, arguments: list[str], complaint: str):
    code, out, err = shell(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert complaint in err
    assert err.count("\n") == 1, "one line, however narrow the terminal is"


def test_brackets_in_a_message_are_printed_as_they_are(shell, tmp_path: Path):
    (tmp_path / "boxes.json").write_text('{"car": 1}')
    (tmp_path / "a.jpg").write_bytes(b"")
    pipeline = "FaultyImageFilterV0_StaticObjectFilterV0"
    code, _, err = shell("analyse", "--current", "a.jpg", "--boxes", "boxes.json", "--pipeline", pipeline)
    assert code == 1
    assert 'expected [["car", [y0, x0, y1, x1, score]], …]: ' in err


def test_a_wrong_setting_is_one_line(shell, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WAYSIDE_WORKERS", "many")
    code, _, err = shell("counts", "query")
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("error: settings are wrong: WAYSIDE_WORKERS: ")


def test_no_enabled_source_says_what_to_do(shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    config = tmp_path / "home" / "include" / "config"
    config.mkdir(parents=True)
    (config / "sources.yaml").write_text("sources: {}")
    stages = {"FaultyV1": {"kind": "faulty_v1"}}
    pipelines = {"default": "FaultyV1", "stages": stages, "pipelines": {"FaultyV1": {"description": "x"}}}
    (config / "pipelines.yaml").write_text(json.dumps(pipelines))
    monkeypatch.setenv("WAYSIDE_HOME", str(tmp_path / "home"))
    code, _, err = shell("ingest")
    assert code == 1
    assert "no source is enabled: set `enabled: true`" in err


def test_what_the_system_refuses_is_one_line(shell, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "file").write_text("no folder")
    pipeline = "FaultyImageFilterV0_StaticObjectFilterV0"
    code, _, err = shell("analyse", "--current", "a.jpg", "--pipeline", pipeline, "--annotate", "file/drawn")
    assert (code, err) == (1, "error: file/drawn: Not a directory\n")


def test_a_picture_that_is_not_there_is_told_and_an_error(shell):
    pipeline = "FaultyImageFilterV0_StaticObjectFilterV0"
    code, out, err = shell("analyse", "--current", "typo.jpg", "--pipeline", pipeline, "--json")
    assert (code, err) == (1, "error: there is no picture typo.jpg\n")
    assert json.loads(out)["outcome"] == "missing"


def test_bench_runs_the_benchmarks_of_the_checkout(shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("WAYSIDE_HOME", str(tmp_path))
    code, _, err = shell("bench")
    assert code == 1
    assert "there are no benchmarks in " in err
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "bench_one.py").touch()
    (tmp_path / "bench" / "__main__.py").write_text(
        "import os, pathlib, sys\npathlib.Path('ran').write_text(' '.join(sys.argv[1:]) + os.environ['WAYSIDE_HOME'])\n"
        "sys.exit(3)\n"
    )
    assert shell("bench", "one")[0] == 3, "the benchmark's own exit code"
    assert (tmp_path / "ran").read_text() == f"one{tmp_path}"


def test_in_a_real_shell_too(tmp_path: Path):
    """The one test with a process of its own: the module starts, and a refusal is an exit code and a line."""
    done = subprocess.run(
        [sys.executable, "-c", "from wayside.cli.main import app; app()", "ingest", "--slot", "now"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "include"), "PATH": "", "WAYSIDE_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: 'now' is not a slot")
    assert done.stderr.count("\n") == 1


def test_verbose_logs_to_the_error_stream():
    answer = CliRunner().invoke(main._commands, ["--verbose", "version"])
    assert (answer.exit_code, answer.stdout) == (0, f"{__version__}\n")


def test_help_does_not_wait_for_heavy_libraries():
    """What is only needed to work is imported when there is work."""
    script = (
        "import sys, wayside.cli.main; print(sorted({'cv2', 'duckdb', 'onnxruntime', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "include")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"
