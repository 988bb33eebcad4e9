"""A fitted pipeline to bytes and back, in skops format: no pickle, nothing runs while it loads.

Where the bytes are kept, and their checksums, is not decided here.
"""

from typing import Any
from zipfile import BadZipFile

import skops.io
from sklearn.pipeline import Pipeline
from skops.io.exceptions import UntrustedTypesFoundException

from learners.trusted_types import is_trusted

# Beyond what skops itself trusts: the optimisers of MLPClassifier and MLPRegressor.
TRUSTED_TYPES = (
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)


class ModelFormatError(ValueError):
    """Bytes that are not a model, not this model, or that hold types which are not listed."""


def dump_pipeline(pipeline: Pipeline) -> bytes:
    """Write a pipeline, fitted or not.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        It is not changed.

    Returns
    -------
    bytes
        Opens with `skops.io.loads`, without streamfit.
    """
    data: bytes = skops.io.dumps(pipeline)
    return data


def load_pipeline(data: bytes) -> Pipeline:
    """Read what `dump_pipeline` wrote, every array bit for bit.

    Parameters
    ----------
    data : bytes
        May come from anybody: types that are not listed are refused before any is made.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Its arrays can be written to.

    Raises
    ------
    ModelFormatError
        If the bytes are damaged, hold other types, or are not a pipeline.
    """
    try:
        trusted = filter(is_trusted, skops.io.get_untrusted_types(data=data))
        pipeline: Any = skops.io.loads(data, trusted=[*TRUSTED_TYPES, *trusted])
    except UntrustedTypesFoundException as error:
        raise ModelFormatError(f"the model holds types that are not listed: {error}") from error
    except (BadZipFile, ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise ModelFormatError(f"the model cannot be read: {error}") from error
    if not isinstance(pipeline, Pipeline):
        raise ModelFormatError(f"the model is a {type(pipeline).__name__}, not a Pipeline")
    return pipeline
