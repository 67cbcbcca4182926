"""Sends each line of a log with a shipper's own library: send.py PROTOCOL URL KEY LOG"""

import json
import logging
import sys


def elastic(url, key, lines):
    from elasticsearch import Elasticsearch, helpers

    # The pair of an API key; its first half is of no interest.
    client = Elasticsearch(f"{url}/elastic", api_key=("shipper", key), http_compress=True)
    assert client.info()["tagline"] == "You Know, for Search"
    actions = ({"_op_type": "create", "_index": "logs", "_source": json.loads(line)} for line in lines)
    sent, failed = helpers.bulk(client, actions, chunk_size=100, raise_on_error=False)
    assert not failed, failed
    return sent


def otlp(url, key, lines):
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    exporter = OTLPLogExporter(
        f"{url}/v1/logs", headers={"authorization": f"Bearer {key}"}, compression=Compression.Gzip
    )
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=100_000))
    log = logging.getLogger("zeek")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(LoggingHandler(logger_provider=provider))
    for line in lines:
        log.info("%s", line)
    assert provider.force_flush()
    provider.shutdown()
    return len(lines)


def splunk(url, key, lines):
    from splunk_handler import SplunkHandler

    scheme, rest = url.split("://")
    host, port = rest.split(":")
    handler = SplunkHandler(
        host=host, port=port, token=key, index="main", protocol=scheme, verify=False, flush_interval=0.5,
        sourcetype="bro:json", queue_size=0, retry_count=3, timeout=30
    )
    log = logging.getLogger("zeek")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    for line in lines:
        log.info(line)
    handler.force_flush()
    logging.shutdown()
    return len(lines)


protocol, url, key, log = sys.argv[1:]
with open(log, encoding="utf-8") as file:
    lines = [line for line in file.read().splitlines() if line]
print({"elastic": elastic, "otlp": otlp, "splunk": splunk}[protocol](url, key, lines))
