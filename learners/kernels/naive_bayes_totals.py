"""Totals over many features that cost little to keep when a few features change.

A total is added up in an order that does not depend on what changed when: features in blocks, and
the sums of the blocks in a binary tree. So it is a function of the features alone, while a running
total would remember the rounding of everything that it has seen.
"""

import numpy as np

from learners.events import Floats
from learners.kernels.compiling import compiled

BLOCK = 16  # features whose sum is taken anew when one of them changes


def tree_for(n_classes: int, n_features: int) -> Floats:
    """Make room for the totals of each class.

    Returns
    -------
    ndarray of shape (n_classes, 2 * n_blocks)
        Node n is the sum of nodes 2n and 2n + 1; the sums of the blocks are the last half, the
        total is node 1.
    """
    return np.zeros((n_classes, 2 * -(-n_features // BLOCK)))


@compiled
def set_block(tree: Floats, block: int, value: float) -> None:
    """Change the sum of one block, and what is above it, in the tree of one class."""
    node = tree.shape[0] // 2 + block
    tree[node] = value
    while node > 1:
        node //= 2
        tree[node] = tree[2 * node] + tree[2 * node + 1]


@compiled
def fill_nodes(tree: Floats) -> None:
    """Set every node from the sums of the blocks, in the tree of one class."""
    for node in range(tree.shape[0] // 2 - 1, 0, -1):
        tree[node] = tree[2 * node] + tree[2 * node + 1]
