"""Whether Temporal answers, and whether a worker asks it for work."""

from datetime import UTC, datetime

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.service import RPCError

from settings import Settings
from workflows.connection import connect


async def temporal_serves(settings: Settings) -> bool:
    """True when Temporal answers and has our namespace."""
    try:
        client = await connect(settings)
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=settings.temporal_namespace)
        )
    except (RPCError, RuntimeError):  # the client raises RuntimeError while nothing listens
        return False
    return True


async def worker_polls(settings: Settings, since: datetime, host: str = "") -> bool:
    """True when a worker, of that host if given, has asked Temporal for our work since then."""
    try:
        client = await connect(settings)
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=settings.temporal_namespace,
                task_queue=TaskQueue(name=settings.temporal_task_queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
        )
    except (RPCError, RuntimeError):
        return False
    return any(
        poller.last_access_time.ToDatetime(tzinfo=UTC) >= since and poller.identity.endswith(f"@{host}" if host else "")
        for poller in answer.pollers
    )
