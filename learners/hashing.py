"""Texts and categories to hashed columns, by scikit-learn's own hashing.

Feature hashing: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from scipy.sparse import csr_array, hstack
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils import murmurhash3_32

from learners.events import Floats
from learners.schema import Kind, Schema


class HashedColumns:
    """Makes the matrix of events whose features are not all numbers.

    The numbers stand in the first columns, as they are. After them stand `n_hashed` columns, on
    which all else is added up:

    - a category counts 1 in the column of "name=value", as `FeatureHasher` has it;
    - a text counts as `HashingVectorizer` has it: words of two or more letters or digits, in lower
      case, the counts of a text scaled to Euclidean length 1. Where there are several texts, the
      column's number is XORed with a hash of the feature's name, so that a word in a title is
      not the same word in a body.

    Nothing is hashed to a negative sign, so that naive Bayes models take the counts.

    Parameters
    ----------
    schema : Schema
        Kinds of the features, number of hashed columns.

    Examples
    --------
    >>> import numpy as np
    >>> kinds = (Kind.NUMBER, Kind.TEXT)
    >>> columns = HashedColumns(Schema(("price", "title"), kinds=kinds, n_hashed=16))
    >>> columns.matrix(np.array([[2.5]]), [["big Red big"]]).indices.tolist()
    [0, 4, 8]
    """

    def __init__(self, schema: Schema) -> None:
        words = [(name, kind) for name, kind in schema.kind_of.items() if kind is not Kind.NUMBER]
        self._n_features = schema.n_features
        self._is_text = [kind is Kind.TEXT for _, kind in words]
        self._categories = [name for name, kind in words if kind is Kind.CATEGORY]
        texts = [name for name, kind in words if kind is Kind.TEXT]
        moves = [murmurhash3_32(name, positive=True) % schema.n_hashed for name in texts]
        self._moves = moves if len(texts) > 1 else [0]
        self._hasher = FeatureHasher(schema.n_hashed, input_type="pair", alternate_sign=False)
        self._vectorizer = HashingVectorizer(n_features=schema.n_hashed, alternate_sign=False)

    def matrix(self, numbers: Floats, words: list[Sequence[Any]]) -> csr_array:
        """Put numbers and hashed words side by side.

        Parameters
        ----------
        numbers : ndarray of shape (n_events, n_numbers)
            Features that are numbers.
        words : list of sequence of str or int, each of length n_events
            The other features, in the order of the schema.

        Returns
        -------
        csr_array of shape (n_events, n_features)
            Float64; int32 indices, ascending within a row; no zeros are stored.
        """
        if len(numbers) == 0:  # which scikit-learn refuses
            return csr_array((0, self._n_features))
        kinds = list(zip(words, self._is_text, strict=True))
        texts = [column for column, is_text in kinds if is_text]
        blocks = list(map(self._hashed_text, texts, self._moves))
        if self._categories:
            blocks.append(self._hashed_categories([c for c, is_text in kinds if not is_text]))
        matrix = hstack([csr_array(numbers), sum(blocks[1:], blocks[0])], format="csr")
        matrix.sort_indices()
        return matrix

    def _hashed_text(self, texts: Sequence[str], move: int) -> csr_array:
        counts = csr_array(self._vectorizer.transform(texts))
        counts.indices ^= move
        counts.has_sorted_indices = move == 0
        return counts

    def _hashed_categories(self, columns: list[Sequence[Any]]) -> csr_array:
        rows = zip(*(map(str, column) for column in columns), strict=True)
        pairs = map(zip, repeat(self._categories), rows)
        return csr_array(self._hasher.transform(pairs))
