"""Bring a native table into the store, read and checked."""

from __future__ import annotations

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.model.pins import FilePin
from pz_tsm_core.model.stages import RETRIEVE
from pz_tsm_core.model.survey import Survey
from pz_tsm_core.progress import counted
from pz_tsm_core.store import Draft, Store
from pz_tsm_core.tables import digest, stream
from tasks.stage import stage_task


def request(file: FilePin, survey: Survey) -> StageRequest:
    """The bytes of the file and the columns that the survey names; not where the file lies."""
    policy = {"columns": sorted(survey.native_columns)}
    return RETRIEVE.request(data={"file": file.sha256}, policy=policy, access=file.access)


@stage_task(request, label="retrieve {survey.key}")
def retrieve(draft: Draft, store: Store, *, file: FilePin, survey: Survey) -> None:
    """Read the native columns that a survey names from a local file or HATS folder."""
    with stream(file.path, sorted(survey.native_columns)) as native:
        batches = counted(native.batches, "rows", native.rows, size=len)
        rows = draft.write_table("native", batches, native.schema)
    if digest(file.path) != file.sha256:
        raise refuse(
            Code.FILE_CHANGED, file.path, found="other bytes than when the run began",
            expected="a file that nobody writes to meanwhile", remedy="run again",
        )
    draft.rows(taken=rows, given=rows)
