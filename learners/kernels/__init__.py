"""Compiled test-then-train, one scikit-learn estimator a module, on the estimator's own arrays."""
