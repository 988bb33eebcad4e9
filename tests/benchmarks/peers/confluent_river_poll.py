"""confluent-kafka and River, a message at a time."""

from job import RiverModel, job
from plain import Plain, one_by_one

Plain(job(), RiverModel()).run(one_by_one)
