"""confluent-kafka and River, messages in batches."""

from job import RiverModel, job
from plain import Plain, in_batches

Plain(job(), RiverModel()).run(in_batches)
