"""Metrics: a real Prometheus ingests them, promtool has no remark but on names copied from others, the numbers are right."""

import json
import re
import subprocess
import urllib.parse
import urllib.request

from harness import WireTest, eventually, manifests, needs, settings
from harness.process import Process, free_port

PROMTOOL = settings.TOOLS / "usr/bin/promtool"
PROMETHEUS = settings.TOOLS / "usr/bin/prometheus"
WHY = "no Prometheus under build/tools; tools/install peers gets it"

# Names that belong to others (ASM, Istio, vLLM); promtool does not like them, and they cannot be changed.
COPIED = re.compile(r"^(asm_llm_proxy_|istio_|envoy_|vllm:)")


class Metrics(WireTest):
    def setUp(self):
        super().setUp()
        self.door = self.gateway(manifests.canary(self.engines(2), {"sql-lora": 1, "tweet-summary": 1}))
        for _ in range(20):
            self.assertEqual(self.door.completion().status, 200)
        self.assertEqual(self.door.completion("nobody").status, 404)

    def test_tokens_and_requests_are_counted(self):
        eventually(lambda: self.door.metric("asm_llm_proxy_prompt_tokens") == 100, "100 prompt tokens")
        self.assertEqual(self.door.metric("asm_llm_proxy_completion_tokens"), 60)
        self.assertEqual(self.door.metric("istio_requests_total", response_code="200"), 20)
        self.assertEqual(self.door.metric("istio_requests_total", response_code="404"), 1)
        self.assertEqual(self.door.metric("istio_request_duration_milliseconds_count", response_code="200"), 20)

    def test_the_tutorials_page_is_plain_text_whatever_is_asked(self):
        answer = self.door.stats(headers="Accept: application/openmetrics-text;version=1.0.0\r\n")
        self.assertEqual(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8")

    def test_the_other_page_speaks_openmetrics(self):
        answer = self.door.stats("/metrics", "Accept: application/openmetrics-text;version=1.0.0;q=0.9,*/*;q=0.1\r\n")
        self.assertEqual(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.assertTrue(answer.body.endswith(b"# EOF\n"))

    def test_no_prompt_and_no_answer_is_anywhere(self):
        self.door.completion(user="secret-user", suffix="the-secret-suffix")
        for text in (self.door.stats().body.decode(), self.door.process.log()):
            for secret in ("critic", "secret", "the tide"):
                self.assertNotIn(secret, text)

    @needs(PROMTOOL, WHY)
    def test_promtool_has_no_remark_but_on_copied_names(self):
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=self.door.stats().body, capture_output=True, timeout=60)
        remarks = [line for line in done.stderr.decode().splitlines() if line and not COPIED.match(line)]
        self.assertEqual(remarks, [])

    @needs(PROMETHEUS, WHY)
    def test_prometheus_ingests_both_pages(self):
        port = free_port()
        config = f"{self.folder}/prometheus.yml"
        with open(config, "w") as file:
            file.write("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n")
            for job, path in (("tutorial", "/stats/prometheus"), ("negotiated", "/metrics")):
                file.write(f"- job_name: {job}\n  metrics_path: {path}\n  static_configs:\n"
                           f"  - targets: ['127.0.0.1:{self.door.stats_port}']\n")
        self.own(Process([PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={self.folder}/tsdb",
                          f"--web.listen-address=127.0.0.1:{port}"], self.folder, "prometheus"))

        def query(expression):
            try:
                url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
                with urllib.request.urlopen(url, timeout=5) as answer:
                    result = json.load(answer)["data"]["result"]
                return {series["metric"].get("job", ""): float(series["value"][1]) for series in result}
            except OSError:
                return {}

        eventually(lambda: query("sum by (job) (asm_llm_proxy_prompt_tokens)") ==
                   {"tutorial": 100, "negotiated": 100}, "the token counter in Prometheus", seconds=60)
        self.assertEqual(query("up"), {"tutorial": 1, "negotiated": 1})
        self.assertEqual(query('sum by (job) (istio_requests_total{response_code="200"})'),
                         {"tutorial": 20, "negotiated": 20})
        self.assertEqual(query("scrape_samples_scraped == 0"), {})
