"""The flow that makes a training set on request: redshifts with LSST photometry, split."""

from __future__ import annotations

from prefect import flow

from flows.order import training_set
from flows.serving import serving
from flows.submission import task_runner
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.service import TrainingSetRequest


@flow(name="make-training-set", task_runner=task_runner(), persist_result=False)
def make_training_set(request: TrainingSetRequest) -> ArtifactRef:
    """Make the compilation, match, correct, split and export; give the exported files."""
    with serving(request.owner) as here:
        return here.make(training_set, request).ref
