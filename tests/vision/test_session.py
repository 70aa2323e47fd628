"""A session is what was demanded, or an error that says why not."""

import logging
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from tests.vision.graphs import brightness_graph

from wayside.core.errors import ModelError, ProviderError
from wayside.vision import session as module
from wayside.vision.session import Session, gpu_present

GRAPH = brightness_graph()
CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"


class FakeOrt:
    """ONNX Runtime as it would look on another machine: what is built in, and what a session really gets."""

    def __init__(self, built: list[str], granted: list[str]) -> None:
        self.SessionOptions = ort.SessionOptions
        self.granted = granted
        self.built = built
        self.asked: list[Any] = []
        self.no_fallback = False

    def get_available_providers(self) -> list[str]:
        return self.built

    def preload_dlls(self) -> None:
        """Find no library."""

    def InferenceSession(self, model: bytes, options: ort.SessionOptions, providers: list[Any]) -> Any:  # noqa: N802
        self.asked.append([name for name, _ in providers])
        self.options = dict(providers)
        assert options.intra_op_num_threads == 1
        real = ort.InferenceSession(model, options, providers=[CPU])
        wanted = [name for name, _ in providers]

        def disable_fallback() -> None:
            self.no_fallback = True

        return SimpleNamespace(
            get_providers=lambda: [name for name in wanted if name in self.granted],
            get_inputs=real.get_inputs,
            get_outputs=real.get_outputs,
            disable_fallback=disable_fallback,
            io_binding=lambda: FakeBinding(real),
            run_with_iobinding=lambda binding: binding.run(),
        )


class FakeBinding:
    """A binding that computes on the CPU."""

    def __init__(self, real: ort.InferenceSession) -> None:
        self.real, self.feeds, self.names = real, {}, []

    def bind_cpu_input(self, name: str, value: Any) -> None:
        assert value.flags.c_contiguous
        self.feeds[name] = value

    def bind_output(self, name: str) -> None:
        self.names.append(name)

    def run(self) -> None:
        self.answers = self.real.run(self.names, self.feeds)

    def copy_outputs_to_cpu(self) -> list[Any]:
        return self.answers


def fake(monkeypatch: pytest.MonkeyPatch, built: list[str], granted: list[str], gpu: bool = True) -> FakeOrt:
    runtime = FakeOrt(built, granted)
    monkeypatch.setattr(module, "ort", runtime)
    monkeypatch.setattr(module, "gpu_present", lambda: gpu)
    return runtime


def picture(batch: int = 1) -> dict[str, Any]:
    return {"images": np.full((batch, 3, 64, 64), 51, np.uint8)}


def test_on_the_cpu() -> None:
    session = Session(GRAPH, "cpu")
    assert (session.provider, session.on_gpu, session.fixed_batch) == (CPU, False, None)
    assert (session.inputs, session.outputs) == (("images",), ("scores", "boxes"))
    assert np.allclose(session.run(picture())["scores"][0, 0, -1], 0.2)
    assert Session(brightness_graph(batch=4), "cpu").fixed_batch == 4


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ModelError, match=r"Tiny cannot be loaded by ONNX Runtime: .*"):
        Session(b"nonsense", "cpu", name="Tiny")


@pytest.mark.parametrize(("device", "provider"), [("cuda", CUDA), ("tensorrt", TENSORRT)])
def test_a_gpu_that_is_demanded_but_not_built_in(monkeypatch: pytest.MonkeyPatch, device: Any, provider: str) -> None:
    fake(monkeypatch, [CPU], [CPU])
    with pytest.raises(ProviderError, match=rf"Tiny was to run on {provider}, which this build .* requirements-gpu"):
        Session(GRAPH, device, name="Tiny")


@pytest.mark.parametrize(
    ("device", "granted", "fell"), [("cuda", [CPU], CPU), ("tensorrt", [CPU], CPU), ("tensorrt", [CUDA, CPU], CUDA)]
)
def test_a_silent_fallback_is_found(
    monkeypatch: pytest.MonkeyPatch, device: Any, granted: list[str], fell: str
) -> None:
    fake(monkeypatch, [TENSORRT, CUDA, CPU], granted)
    with pytest.raises(ProviderError, match=f"Tiny was to run on .* but ONNX Runtime fell back to {fell}"):
        Session(GRAPH, device, name="Tiny")


@pytest.mark.skipif(gpu_present(), reason="this machine has a GPU, so the demand can be met")
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_gpu_that_is_demanded_but_not_there_for_real(device: Any) -> None:
    with pytest.raises(ProviderError, match="Tiny was to run on"):
        Session(GRAPH, device, name="Tiny")


@pytest.mark.parametrize(
    ("built", "gpu", "asked", "provider"),
    [
        ([CPU], True, [[CPU]], CPU),
        ([CUDA, CPU], False, [[CPU]], CPU),
        ([TENSORRT, CUDA, CPU], True, [[CUDA, CPU]], CUDA),
    ],
)
def test_auto(
    monkeypatch: pytest.MonkeyPatch, built: list[str], gpu: bool, asked: list[list[str]], provider: str
) -> None:
    runtime = fake(monkeypatch, built, [CUDA, CPU], gpu)
    session = Session(GRAPH, "auto")
    assert (runtime.asked, session.provider) == (asked, provider)
    assert runtime.no_fallback


def test_tensorrt_keeps_its_engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runtime = fake(monkeypatch, [TENSORRT, CUDA, CPU], [TENSORRT, CUDA, CPU])
    assert Session(GRAPH, "tensorrt", engines=tmp_path).provider == TENSORRT
    assert runtime.options[TENSORRT] == {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(tmp_path)}
    assert runtime.options[CUDA]["use_tf32"] == "0"
    Session(GRAPH, "tensorrt")
    assert runtime.options[TENSORRT] == {}


def test_auto_says_when_a_gpu_lies_idle(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    fake(monkeypatch, [CUDA, CPU], [CPU])
    with caplog.at_level(logging.WARNING):
        assert not Session(GRAPH, "auto", name="Tiny").on_gpu
    assert "Tiny was to run on CUDA" in caplog.text


def test_a_gpu_that_cannot_load_the_model(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Memory that others hold, or an old driver: `auto` goes on without the GPU, who demands it hears of it."""
    runtime = fake(monkeypatch, [CUDA, CPU], [CUDA, CPU])
    healthy = runtime.InferenceSession

    def sick(model: bytes, options: ort.SessionOptions, providers: list[Any]) -> Any:
        if providers[0][0] == CUDA:
            raise RuntimeError("CUDA failure 2: out of memory")
        return healthy(model, options, providers)

    monkeypatch.setattr(runtime, "InferenceSession", sick)
    with caplog.at_level(logging.WARNING):
        assert Session(GRAPH, "auto", name="Tiny").provider == CPU
    (record,) = caplog.records
    assert "not used: Tiny cannot be loaded by ONNX Runtime: CUDA failure 2: out of memory" in record.getMessage()
    with pytest.raises(ModelError, match="out of memory"):
        Session(GRAPH, "cuda", name="Tiny")


def test_binding_on_the_gpu_gives_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Session(GRAPH, "cpu").run(picture(3))
    fake(monkeypatch, [CUDA, CPU], [CUDA, CPU])
    session = Session(GRAPH, "cuda")
    assert session.on_gpu
    got = session.run({"images": np.asfortranarray(picture(3)["images"])})
    assert all(np.array_equal(got[name], expected[name]) for name in expected)


def test_the_driver_is_asked_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def driver(result: int, number: int) -> Any:
        def count(pointer: Any) -> int:
            pointer._obj.value = number
            return 0

        return lambda _: SimpleNamespace(cuInit=lambda _: result, cuDeviceGetCount=count)

    for result, number, expected in ((0, 1, True), (0, 0, False), (100, 1, False)):
        monkeypatch.setattr(module.ctypes, "CDLL", driver(result, number))
        assert gpu_present() is expected

    def absent(_: str) -> None:
        raise OSError("no such library")

    monkeypatch.setattr(module.ctypes, "CDLL", absent)
    assert not gpu_present()


def test_threads_share_a_session() -> None:
    session = Session(GRAPH, "cpu")
    answers: list[float] = []

    def work() -> None:
        answers.extend(float(session.run(picture())["scores"][0, 0, -1]) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.allclose(answers, 0.2)
    assert len(answers) == 80
