# The image of the worker and of the one-shot that migrates the records.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app PIP_NO_CACHE_DIR=1

WORKDIR /app
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY named_keys.py settings.py setting_kinds.py logs.py heap.py worker.py watchdog.py ./
COPY protocol/ protocol/
COPY rehearsal/ rehearsal/
COPY proof/ proof/
COPY protocol_specs/ protocol_specs/
COPY workflows/ workflows/
COPY activities/ activities/
COPY audit/ audit/
COPY practice/ practice/
COPY web/ web/
COPY cli/ cli/

RUN useradd --system --uid 10001 --no-create-home holdfast
USER 10001

ENTRYPOINT ["python"]
CMD ["worker.py"]
