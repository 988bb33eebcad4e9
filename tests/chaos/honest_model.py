"""The model of an honest run: scikit-learn, row by row, and the checkpoints of it."""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import skops.io
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CLASSES = ["down", "up"]


@dataclass
class Learned:
    """A model and how far it has come."""

    scaler: StandardScaler = field(default_factory=StandardScaler)
    predictor: SGDClassifier = field(
        default_factory=lambda: SGDClassifier(
            loss="log_loss", learning_rate="constant", eta0=0.01, shuffle=False, random_state=0
        )
    )
    version: int = 0
    epoch: int = 0
    parent: dict[str, Any] | None = None

    def test_then_train(self, event: dict[str, Any]) -> tuple[str, float]:
        """Predict, then learn."""
        x = np.array([[event["features"][name] for name in "abc"]])
        z = self.scaler.partial_fit(x).transform(x)
        said, probability = "down", 0.5
        if self.version:
            said = str(self.predictor.predict(z)[0])
            probability = float(self.predictor.predict_proba(z)[0][CLASSES.index(said)])
        if event.get("label") is not None:
            self.predictor.partial_fit(z, [event["label"]], classes=CLASSES)
            self.version += 1
        return said, probability

    def checkpoint(self, next_offsets: dict[int, int]) -> bytes:
        """Write it all down."""
        learner = {"model_version": self.version, "open_rows": [], "open_labels": []}
        parts = {
            "model.skops": skops.io.dumps(make_pipeline(self.scaler, self.predictor)),
            "state.json": json.dumps({"learner": learner}).encode(),
        }
        offsets = {str(p): offset for p, offset in next_offsets.items()}
        manifest = {"epoch": self.epoch, "parent": self.parent, "next_offsets": offsets}
        return packed(parts, manifest)


def packed(parts: dict[str, bytes], manifest: dict[str, Any]) -> bytes:
    """Make a checkpoint; its manifest gets the checksums of the parts."""
    sums = {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}
    manifest = {**manifest, "parts": sums}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, part in {"manifest.json": json.dumps(manifest).encode(), **parts}.items():
            archive.writestr(name, part)
    return buffer.getvalue()


def pointer(key: str, data: bytes, epoch: int) -> dict[str, Any]:
    """Make the pointer to a checkpoint."""
    return {
        "key": key,
        "sha256": hashlib.sha256(data).hexdigest(),
        "epoch": epoch,
        "size": len(data),
    }
