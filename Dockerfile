# The image of docker-compose.yml: the pinned environment and this checkout, nothing else.
FROM python:3.11-slim-bookworm

RUN apt-get update && apt-get install --yes --no-install-recommends tini && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 50000 tanhuan

WORKDIR /opt/tanhuan
COPY requirements.lock pyproject.toml README.md ./
RUN pip install --no-cache-dir --no-compile --no-deps --require-hashes -r requirements.lock
# Some packages ship files for other Pythons that do not compile here: that is no failure.
RUN python -m compileall -q -j 2 "$(python -c 'import site; print(site.getsitepackages()[0])')" || true
COPY include include
COPY dags dags
COPY plugins plugins
COPY dbt_project dbt_project
COPY expectations expectations
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . && python -m compileall -q include dags plugins

USER tanhuan
ENTRYPOINT ["tini", "--"]
