"""The flow that makes a compilation on request: one row a galaxy from all redshifts named."""

from __future__ import annotations

from prefect import flow

from flows.order import compilation
from flows.serving import serving
from flows.submission import task_runner
from pz_tsm_core.model.artifact import ArtifactRef
from pz_tsm_core.service import CompilationRequest


@flow(name="compile-redshifts", task_runner=task_runner(), persist_result=False)
def compile_redshifts(request: CompilationRequest) -> ArtifactRef:
    """Standardize, combine and partition what the store has; give the compilation."""
    with serving(request.owner) as here:
        return here.make(compilation, request).ref
