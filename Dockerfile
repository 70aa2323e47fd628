# Wayside on Airflow: one image for every part of it, and the same with the CUDA libraries.
# The builder gets no secret, and nothing in the image runs as root.

FROM python:3.11.15-slim-bookworm AS wayside

ENV AIRFLOW_HOME=/opt/airflow \
    PATH=/opt/venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONPATH=/opt/wayside/include:/opt/wayside/plugins \
    PYTHONUNBUFFERED=1 \
    WAYSIDE_HOME=/opt/wayside \
    WAYSIDE_STATE=/var/lib/wayside

# Volumes take their owner from these folders when they are used for the first time.
RUN useradd --uid 50000 --gid 0 --create-home wayside \
    && install --directory --owner wayside --group root --mode 0770 \
        /opt/airflow /opt/airflow/logs /opt/airflow/signin /var/lib/wayside \
    && python -m venv /opt/venv

WORKDIR /opt/wayside
# The lock alone first, which holds all of requirements.txt: a change of the code does not install everything anew.
COPY requirements-deploy.txt ./
COPY packaging packaging
RUN pip install -r requirements-deploy.txt

COPY pyproject.toml requirements.in README.md LICENSE ./
COPY include include
COPY models models
COPY sql sql
COPY plugins plugins
COPY dags dags
RUN pip install --no-deps --editable .

USER 50000:0
CMD ["airflow", "version"]


FROM wayside AS wayside-gpu

# What the NVIDIA container toolkit hands in from the driver.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    WAYSIDE_DEVICE=cuda

USER root
COPY requirements-gpu.txt ./
RUN pip install -r requirements-deploy.txt -r requirements-gpu.txt
USER 50000:0
