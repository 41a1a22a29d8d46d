"""The queue of drawings: durable, ordered, drawn by processes of their own.

    queue = JobQueue(library)
    with Workers(queue):                                   draws what is queued, models kept warm
        job = queue.submit(GenerationRequest(prompt="a red fox", num_images=4))
        for event in queue.events(job.id):                 progress, previews, pictures, the end
            ...
        job = queue.wait(job.id)                           job.pictures are ids of the library

What was acknowledged survives any crash: a job whose worker died is queued again (three times at
most), and no picture of it is stored twice.
"""

from sfumato.jobs.job import Job, JobEvent, JobState, Progress
from sfumato.jobs.queue import JobQueue
from sfumato.jobs.workers import Workers

__all__ = ["Job", "JobEvent", "JobQueue", "JobState", "Progress", "Workers"]
