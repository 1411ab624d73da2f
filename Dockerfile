# The slim image has Airflow and no provider, so that constraints.txt alone says what is installed:
# the same versions that the tests run with.
FROM apache/airflow:slim-3.3.2-python3.12

# Libraries that Microsoft's ODBC driver links to and mssql-python does not bring.
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgssapi-krb5-2 libkrb5-3 libltdl7 \
    && rm -rf /var/lib/apt/lists/*
USER airflow

# psycopg2 and asyncpg are for Airflow's own database; the pipeline needs neither.
# With requirements-buckets.txt the runs' files can lie on S3, Google Cloud Storage or Azure; a folder
# needs none of it. With requirements-celery.txt tasks can run on workers.
COPY requirements.txt requirements-buckets.txt requirements-celery.txt constraints.txt /opt/airflow/
RUN pip install --no-cache-dir \
        -r requirements.txt -r requirements-buckets.txt -r requirements-celery.txt \
        psycopg2-binary asyncpg -c constraints.txt \
    && pip check \
    # A new volume takes its owner from the folder that it covers.
    && mkdir --parents /opt/airflow/artifacts

COPY include /opt/airflow/include
COPY plugins /opt/airflow/plugins
COPY quickstart /opt/airflow/quickstart
COPY dags /opt/airflow/dags
ENV PYTHONPATH=/opt/airflow/plugins
