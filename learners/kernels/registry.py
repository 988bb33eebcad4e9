"""The list of kernels. A new one is a module beside this one, named here."""

from typing import Any

from learners.kernels import sgd_classifier, standard_scaler
from learners.kernels.kernel import PredictorKernel, TransformerKernel

TRANSFORMERS: tuple[TransformerKernel, ...] = (standard_scaler.KERNEL,)
PREDICTORS: tuple[PredictorKernel, ...] = (sgd_classifier.KERNEL,)


def transformer_kernel(estimator: Any) -> TransformerKernel | None:
    """Find the kernel that takes a transformer, fitted or not; None if there is none."""
    return next((kernel for kernel in TRANSFORMERS if kernel.takes(estimator)), None)


def predictor_kernel(estimator: Any) -> PredictorKernel | None:
    """Find the kernel that takes a predictor, fitted or not; None if there is none."""
    return next((kernel for kernel in PREDICTORS if kernel.takes(estimator)), None)
