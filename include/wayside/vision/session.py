"""An ONNX Runtime session that is what was asked for: provider demanded, provider checked.

ONNX Runtime answers a missing GPU with a warning and a CPU session twenty times slower, and a GPU that fails while
running with a silent change to the CPU. Both are errors here. On the CPU one session serves many worker threads, each
run using one core (measured: as fast as processes, and robust against other load); on a GPU inputs and outputs are
bound, and batches come in few sizes so that no run has to plan for a new shape.
"""

import ctypes
import logging
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from wayside.core.errors import ModelError, ProviderError

Device = Literal["auto", "cpu", "cuda", "tensorrt"]
Array = NDArray[Any]

_log = logging.getLogger(__name__)

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"
_TENSORRT: Final = "TensorrtExecutionProvider"
_WANTED: Final[dict[str, tuple[str, ...]]] = {
    "cpu": (_CPU,),
    "cuda": (_CUDA, _CPU),
    "tensorrt": (_TENSORRT, _CUDA, _CPU),
}
_ERRORS_ONLY: Final = 3

# Full float32 and a fixed choice of kernels: counts must not depend on which graphics card made them.
_CUDA_OPTIONS: Final = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}


class Session:
    """A loaded model.

    Attributes:
        provider: execution provider that the session got, for example `CPUExecutionProvider`.
        inputs: names of the inputs.
        outputs: names of the outputs.
        fixed_batch: the only batch size that the graph accepts, None where it accepts any.
    """

    def __init__(
        self, model: bytes, device: Device = "auto", *, name: str = "the model", engines: Path | None = None
    ) -> None:
        """Load `model` (the bytes of an ONNX file).

        Args:
            model: a model in one piece.
            device: where it is to run; `auto` takes CUDA where it works.
            name: how errors call the model.
            engines: folder in which TensorRT keeps what it compiled, which takes minutes; None keeps nothing.

        Raises:
            ProviderError: `device` demands a GPU, and the session did not get it.
            ModelError: ONNX Runtime cannot load the model.
        """
        self._session = _load_auto(model, name) if device == "auto" else _load(model, device, name, engines)
        self.provider: str = self._session.get_providers()[0]
        self.inputs = tuple(node.name for node in self._session.get_inputs())
        self.outputs = tuple(node.name for node in self._session.get_outputs())
        batch = self._session.get_inputs()[0].shape[0]
        self.fixed_batch = batch if isinstance(batch, int) else None

    @property
    def on_gpu(self) -> bool:
        """Whether the session runs on a GPU."""
        return self.provider != _CPU

    def run(self, feeds: dict[str, Array]) -> dict[str, Array]:
        """Run the model once; safe to call from many threads. Arrays go in and come out by name, batch first."""
        if not self.on_gpu:
            return dict(zip(self.outputs, self._session.run(None, feeds), strict=True))
        binding = self._session.io_binding()
        for name, value in feeds.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(value))
        for name in self.outputs:
            binding.bind_output(name)
        self._session.run_with_iobinding(binding)
        return dict(zip(self.outputs, binding.copy_outputs_to_cpu(), strict=True))


def gpu_present() -> bool:
    """Say whether the NVIDIA driver is there and finds at least one GPU.

    The GPU build of ONNX Runtime lists CUDA on every machine and complains aloud where it does not work, so `auto`
    asks the driver first.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    number = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(number)) == 0 and number.value > 0


def _load_auto(model: bytes, name: str) -> ort.InferenceSession:
    """Take CUDA where there is a GPU and CUDA works, else the CPU; say so in the log where a GPU lies idle."""
    if _CUDA in ort.get_available_providers() and gpu_present():
        try:
            return _load(model, "cuda", name)
        except ModelError as error:  # also a driver that is too old, or a GPU whose memory others have taken
            _log.warning("a GPU is there but is not used: %s", error)
    return _load(model, "cpu", name)


def _load(model: bytes, device: Device, name: str, engines: Path | None = None) -> ort.InferenceSession:
    wanted = _WANTED[device]
    if wanted[0] not in ort.get_available_providers():
        raise ProviderError(
            f"{name} was to run on {wanted[0]}, which this build of ONNX Runtime does not have: install "
            f"requirements-gpu.txt, or set WAYSIDE_DEVICE=cpu"
        )
    if device != "cpu":
        ort.preload_dlls()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERRORS_ONLY
    settings = {_CUDA: _CUDA_OPTIONS, _TENSORRT: _tensorrt_options(engines)}
    providers = [(provider, settings.get(provider, {})) for provider in wanted]
    try:
        session = ort.InferenceSession(model, options, providers=providers)
    except Exception as error:  # ONNX Runtime raises a dozen unrelated classes
        raise ModelError(f"{name} cannot be loaded by ONNX Runtime: {error}") from error
    _check_provider(session, device, name)
    return session


def _tensorrt_options(engines: Path | None) -> dict[str, str]:
    if engines is None:
        return {}
    return {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(engines)}


def _check_provider(session: ort.InferenceSession, device: Device, name: str) -> None:
    """Raise unless the session got what was demanded, and forbid it to change its mind later."""
    got = session.get_providers()[0]
    if got != _WANTED[device][0]:
        raise ProviderError(
            f"{name} was to run on {_WANTED[device][0]} but ONNX Runtime fell back to {got}: look for the missing "
            f"CUDA, cuDNN or TensorRT library in its log, or set WAYSIDE_DEVICE=cpu"
        )
    session.disable_fallback()
