"""Finds the kernels: every module of this folder that holds a `KERNEL`, or several in `KERNELS`.

To add a kernel is to add a file; nothing else names it.
"""

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from learners import kernels
from learners.kernels.kernel import PredictorKernel, TransformerKernel

Kernel = TransformerKernel | PredictorKernel


@cache
def all_kernels() -> tuple[Kernel, ...]:
    """Give every kernel, by the names of their modules in sorted order."""
    names = sorted(module.name for module in pkgutil.iter_modules(kernels.__path__))
    return tuple(
        kernel
        for name in names
        if name != "registry"
        for kernel in _kernels_of(import_module(f"{kernels.__name__}.{name}"))
    )


def transformer_kernel(estimator: Any) -> TransformerKernel | None:
    """Find the kernel that takes a transformer, fitted or not; None if there is none."""
    for kernel in all_kernels():
        if isinstance(kernel, TransformerKernel) and kernel.takes(estimator):
            return kernel
    return None


def predictor_kernel(estimator: Any) -> PredictorKernel | None:
    """Find the kernel that takes a predictor, fitted or not; None if there is none."""
    for kernel in all_kernels():
        if isinstance(kernel, PredictorKernel) and kernel.takes(estimator):
            return kernel
    return None


def _kernels_of(module: Any) -> Iterator[Kernel]:
    if hasattr(module, "KERNEL"):
        yield module.KERNEL
    yield from getattr(module, "KERNELS", ())
