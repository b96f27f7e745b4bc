"""A small shop, instrumented by hand: every order is a trace of two spans. The exporter sends to localhost:4318 unless
OTEL_EXPORTER_OTLP_ENDPOINT says otherwise."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

PRICES = {"tea": 3, "coffee": 4}
PORT = int(os.environ.get("PORT", "8081"))

provider = TracerProvider(
    resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "shop-python")})
)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=1000))
tracer = provider.get_tracer("shop")


def price_of(item):
    with tracer.start_as_current_span("look up the price", attributes={"item": item}) as span:
        if item not in PRICES:
            span.set_status(trace.StatusCode.ERROR, "not for sale")
        return PRICES.get(item)


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        item = parse_qs(urlparse(self.path).query).get("item", [""])[0]
        with tracer.start_as_current_span("GET /order", kind=trace.SpanKind.SERVER) as span:
            price = price_of(item)
            span.set_attribute("http.response.status_code", 404 if price is None else 200)
        self.send_response(404 if price is None else 200)
        self.end_headers()
        self.wfile.write(b"not for sale\n" if price is None else f"{price}\n".encode())

    def log_message(self, *args):
        pass


def close(*_):
    provider.shutdown()  # sends what is left
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, close)
    print(f"the shop is open: http://127.0.0.1:{PORT}/order?item=tea", flush=True)
    ThreadingHTTPServer(("127.0.0.1", PORT), Shop).serve_forever()
