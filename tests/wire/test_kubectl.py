"""The embedded home speaks Kubernetes: the unmodified kubectl works against `tidegate up`."""

import contextlib
import json
import os
import pathlib
import pty
import shutil
import signal
import ssl
import stat
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

from harness import WireTest, eventually, settings
from harness.api import Api
from harness.process import Process, free_port

EXAMPLE = settings.ROOT / "examples" / "lora-canary"

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: example/none, env: [{name: A, value: a}, {name: B, value: b}]}]
"""


# What an installation script for a cluster brings along, with the definition of a kind that is built in.
INSTALLER = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: inferencepools.inference.networking.k8s.io}
spec:
  group: inference.networking.k8s.io
  names: {kind: InferencePool, listKind: InferencePoolList, plural: inferencepools, singular: inferencepool}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object}}}}
    subresources: {status: {}}
status: {acceptedNames: {kind: "", plural: ""}, conditions: null, storedVersions: null}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: installer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: "installer:all"}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: installer}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "installer:all"}
subjects: [{kind: ServiceAccount, name: installer, namespace: default}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hooks}
webhooks:
- name: hooks.example.com
  clientConfig: {service: {name: hooks, namespace: default}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  sideEffects: None
  admissionReviewVersions: [v1]
"""


def quiet(look):
    """What look() says; nothing if a process went away meanwhile."""
    try:
        return look()
    except OSError:
        return None


class Rules(Api):
    """What the server answers, request by request."""

    PODS = "/api/v1/namespaces/default/pods"
    DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
    MAPS = "/api/v1/namespaces/default/configmaps"

    def config_map(self, name, **more):
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **more}, "data": {"a": "1"}}

    def deployment(self, name="web", replicas=0):
        labels = {"app": name}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                         "template": {"metadata": {"labels": labels},
                                      "spec": {"containers": [{"name": "main", "image": "example/none"}]}}}}

    def test_only_the_token_opens_the_door(self):
        for token in ("", "wrong"):
            self.assert_status(self.ask("GET", "/api/v1/pods", token=token), 401, "Unauthorized")
        for path in ("/healthz", "/livez", "/readyz"):
            self.assertEqual(self.request("GET", path, token="")[:2], (200, "ok"))
        self.assertEqual(stat.S_IMODE(self.kubeconfig.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE((self.data / "pki" / "token").stat().st_mode), 0o600)
        self.assertTrue(self.server.startswith("https://127.0.0.1:"), self.server)

    def test_an_object_from_birth_to_death(self):
        status, made = self.ask("POST", self.MAPS, self.config_map("m"))
        self.assertEqual(status, 201, made)
        self.assertTrue(made["metadata"]["uid"] and made["metadata"]["creationTimestamp"])
        self.assert_status(self.ask("POST", self.MAPS, self.config_map("m")), 409, "AlreadyExists")
        status, generated = self.ask("POST", self.MAPS, {"metadata": {"generateName": "g-"}})
        self.assertEqual(status, 201, generated)
        self.assertRegex(generated["metadata"]["name"], "^g-.{5}$")

        stale = dict(made, data={"a": "2"})
        status, changed = self.ask("PUT", self.MAPS + "/m", stale)
        self.assertEqual((status, changed["data"]), (200, {"a": "2"}))
        self.assert_status(self.ask("PUT", self.MAPS + "/m", dict(made, data={"a": "3"})), 409, "Conflict",
                           "the object has been modified")
        status, patched = self.ask("PATCH", self.MAPS + "/m", {"data": {"b": "1", "a": None}},
                                   content_type="application/merge-patch+json")
        self.assertEqual((status, patched["data"]), (200, {"b": "1"}))
        status, patched = self.ask("PATCH", self.MAPS + "/m", [{"op": "add", "path": "/data/c", "value": "3"}],
                                   content_type="application/json-patch+json")
        self.assertEqual((status, patched["data"]), (200, {"b": "1", "c": "3"}))

        status, answer = self.ask("DELETE", self.MAPS + "/m", {"preconditions": {"uid": "another"}})
        self.assertEqual((status, answer["reason"]), (409, "Conflict"))
        status, answer = self.ask("DELETE", self.MAPS + "/m")
        self.assertEqual((status, answer["status"], answer["details"]["uid"]), (200, "Success", made["metadata"]["uid"]))
        self.assert_status(self.ask("GET", self.MAPS + "/m"), 404, "NotFound", 'configmaps "m" not found')
        status, _ = self.ask("DELETE", self.MAPS)
        self.assertEqual(status, 200)
        self.assertEqual(self.ask("GET", self.MAPS)[1]["items"], [])

    def test_collections_are_narrowed_and_paged(self):
        for i in range(5):
            self.ask("POST", self.MAPS, self.config_map(f"m{i}", labels={"odd": str(i % 2)}))
        names = lambda query: [item["metadata"]["name"] for item in self.ask("GET", self.MAPS + query)[1]["items"]]
        self.assertEqual(names("?labelSelector=odd%3D1"), ["m1", "m3"])
        self.assertEqual(names("?labelSelector=odd%20notin%20(1)"), ["m0", "m2", "m4"])
        self.assertEqual(names("?fieldSelector=metadata.name%3Dm3"), ["m3"])
        self.assert_status(self.ask("GET", self.MAPS + "?labelSelector=a%20in"), 400, "BadRequest")
        self.assert_status(self.ask("GET", self.MAPS + "?fieldSelector=data.a%3D1"), 400, "BadRequest",
                           "field label not supported")

    def test_a_watch_tells_every_change_once(self):
        start = self.ask("GET", self.MAPS)[1]["metadata"]["resourceVersion"]
        for i in range(3):
            self.ask("POST", self.MAPS, self.config_map(f"m{i}", labels={"n": str(i)}))
        self.ask("PATCH", self.MAPS + "/m1", {"metadata": {"labels": {"n": "9"}}}, content_type="application/merge-patch+json")
        self.ask("DELETE", self.MAPS + "/m2")
        watch = f"?watch=true&resourceVersion={start}&timeoutSeconds=1"
        told = [json.loads(line) for line in self.request("GET", self.MAPS + watch)[1].splitlines()]
        self.assertEqual([(event["type"], event["object"]["metadata"]["name"]) for event in told],
                         [("ADDED", "m0"), ("ADDED", "m1"), ("ADDED", "m2"), ("MODIFIED", "m1"), ("DELETED", "m2")])
        told = [json.loads(line) for line in
                self.request("GET", self.MAPS + watch + "&labelSelector=n%3D1")[1].splitlines()]
        self.assertEqual([(event["type"], event["object"]["metadata"]["name"]) for event in told],
                         [("ADDED", "m1"), ("DELETED", "m1")])
        lines = self.request("GET", self.MAPS + "?watch=true&resourceVersion=999999999&timeoutSeconds=1")[1].splitlines()
        self.assertEqual(json.loads(lines[0])["type"], "ERROR")

    def test_what_is_wrong_is_named_and_nothing_is_stored(self):
        broken = self.deployment()
        broken["spec"]["replicas"] = -1
        del broken["spec"]["selector"]
        body = self.assert_status(self.ask("POST", self.DEPLOYMENTS, broken), 422, "Invalid",
                                  'Deployment.apps "web" is invalid: ')
        fields = {cause["field"] for cause in body["details"]["causes"]}
        self.assertLessEqual({"spec.replicas", "spec.selector"}, fields)

        quantity = self.deployment()
        quantity["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "much"}}
        self.assert_status(self.ask("POST", self.DEPLOYMENTS, quantity), 400, "BadRequest", "resources.requests")

        self.assert_status(self.ask("POST", self.DEPLOYMENTS, self.config_map("web")), 400, "BadRequest", "(apps/v1)")
        self.assert_status(self.ask("POST", self.DEPLOYMENTS, "{"), 400, "BadRequest")
        self.assert_status(self.ask("POST", self.DEPLOYMENTS, "{}", content_type="text/html"), 415, "UnsupportedMediaType")
        self.assert_status(self.ask("POST", self.DEPLOYMENTS, '{"a":' * 2000 + "1" + "}" * 2000), 400, "BadRequest")
        large = self.config_map("large")
        large["data"]["a"] = "x" * (1600 * 1024)
        self.assert_status(self.ask("POST", self.MAPS, large), 413, "RequestEntityTooLarge")
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))
        status, answer = self.ask("POST", self.MAPS, bomb, content_type="application/yaml")
        self.assertIn(status, (400, 413), answer)
        self.assert_status(self.ask("POST", "/api/v1/namespaces/absent/configmaps", self.config_map("m")), 404,
                           "NotFound", 'namespaces "absent" not found')
        self.assert_status(self.ask("POST", self.MAPS, self.config_map("m", namespace="other")), 400, "BadRequest",
                           "namespace")
        self.assert_status(self.ask("GET", "/api/v1/nothings"), 404, "NotFound")
        self.assert_status(self.ask("POST", self.MAPS + "/x"), 405, "MethodNotAllowed")
        self.assertEqual(self.ask("GET", self.DEPLOYMENTS)[1]["items"], [])
        self.assertEqual(self.ask("GET", self.MAPS)[1]["items"], [])

    def test_what_may_not_change_does_not(self):
        self.ask("POST", self.DEPLOYMENTS, self.deployment())
        merge = {"content_type": "application/merge-patch+json"}
        self.assert_status(self.ask("PATCH", self.DEPLOYMENTS + "/web",
                                    {"spec": {"selector": {"matchLabels": {"app": "other"}}}}, **merge), 422, "Invalid")
        self.assert_status(self.ask("PATCH", self.DEPLOYMENTS + "/web", {"metadata": {"name": "x"}}, **merge), 422, "Invalid")
        status, answer = self.ask("PATCH", self.DEPLOYMENTS + "/web", {"status": {"replicas": 7}}, **merge)
        self.assertNotEqual(answer.get("status", {}).get("replicas"), 7)

    def test_scale_is_a_view_of_replicas(self):
        self.ask("POST", self.DEPLOYMENTS, self.deployment())
        status, scale = self.ask("GET", self.DEPLOYMENTS + "/web/scale")
        self.assertEqual((status, scale["kind"], scale["spec"]["replicas"]), (200, "Scale", 0))
        self.assertEqual(scale["status"]["selector"], "app=web")
        status, scale = self.ask("PATCH", self.DEPLOYMENTS + "/web/scale", {"spec": {"replicas": 2}},
                                 content_type="application/merge-patch+json")
        self.assertEqual((status, scale["spec"]["replicas"]), (200, 2))
        self.assertEqual(self.ask("GET", self.DEPLOYMENTS + "/web")[1]["spec"]["replicas"], 2)
        self.assert_status(self.ask("PATCH", self.DEPLOYMENTS + "/web/scale", {"spec": {"replicas": -2}},
                                    content_type="application/merge-patch+json"), 422, "Invalid")

    def test_a_key_that_is_there_twice(self):
        body = '{"metadata":{"name":"twice"},"data":{"a":"1","b":"2","a":"3"}}'
        self.assert_status(self.ask("POST", self.MAPS + "?fieldValidation=Strict", body), 400, "BadRequest",
                           'strict decoding error: duplicate field "data.a"')
        self.assertEqual(self.ask("GET", self.MAPS)[1]["items"], [])
        status, text, headers = self.request("POST", self.MAPS + "?dryRun=All", body)
        self.assertEqual((status, json.loads(text)["data"]), (201, {"a": "3", "b": "2"}))
        self.assertIn("duplicate field", headers["Warning"])
        _, _, headers = self.request("POST", self.MAPS + "?dryRun=All&fieldValidation=Ignore", body)
        self.assertIsNone(headers["Warning"])

    def test_which_revision_a_list_may_have(self):
        for query, says in (("?resourceVersionMatch=Exact", "unless resourceVersion is provided"),
                            ("?resourceVersionMatch=Exact&resourceVersion=0", "forbidden for resourceVersion"),
                            ("?resourceVersionMatch=Newest&resourceVersion=1", "Unsupported value")):
            body = self.assert_status(self.ask("GET", self.MAPS + query), 422, "Invalid", says)
            self.assertEqual(body["details"]["causes"][0]["field"], "resourceVersionMatch")
        self.assertEqual(self.ask("GET", self.MAPS + "?resourceVersionMatch=NotOlderThan&resourceVersion=1")[0], 200)

    def test_a_body_of_many_mebibytes_is_told_so(self):
        large = json.dumps(self.config_map("large", labels={"a": "x" * (9 << 20)}))
        for _ in range(3):
            self.assert_status(self.ask("POST", self.MAPS, large), 413, "RequestEntityTooLarge")

    def test_what_holds_more_than_a_mebibyte_is_told_so(self):
        map = {"metadata": {"name": "large"}, "data": {"a": "x" * (600 << 10)}}
        self.assertEqual(self.ask("POST", self.MAPS, map)[0], 201)
        map["data"]["b"] = map["data"]["a"]
        body = self.assert_status(self.ask("PUT", self.MAPS + "/large", map), 422, "Invalid",
                                  'ConfigMap "large" is invalid: []: Too long: may not be more than 1048576 bytes')
        self.assertEqual(body["details"]["causes"][0]["reason"], "FieldValueTooLong")
        labels = {"metadata": {"name": "annotated", "annotations": {"a": "x" * (1600 << 10)}}}
        self.assert_status(self.ask("POST", self.MAPS, labels), 413, "RequestEntityTooLarge")

    def test_eviction_keeps_the_budget(self):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"app": "p"}},
               "spec": {"containers": [{"name": "main", "image": "example/none"}], "nodeName": "elsewhere"}}
        self.assertEqual(self.ask("POST", self.PODS, pod)[0], 201)
        merge = {"content_type": "application/merge-patch+json"}
        running = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        self.assertEqual(self.ask("PATCH", self.PODS + "/p/status", running, **merge)[0], 200)
        budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
        budget = {"metadata": {"name": "p"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}}}
        self.assertEqual(self.ask("POST", budgets, budget)[0], 201)
        eventually(lambda: self.ask("GET", budgets + "/p")[1].get("status", {}).get("currentHealthy") == 1, "the budget's status")
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
        body = self.assert_status(self.ask("POST", self.PODS + "/p/eviction", eviction), 429, "TooManyRequests",
                                  "disruption budget")
        self.assertEqual(body["details"]["causes"][0]["reason"], "DisruptionBudget")
        self.assertIn("needs 1 healthy pods and has 1", body["details"]["causes"][0]["message"])
        self.ask("PATCH", budgets + "/p", {"spec": {"minAvailable": 0}}, **merge)
        eventually(lambda: self.ask("POST", self.PODS + "/p/eviction", eviction)[0] == 201, "leave to go")

    def test_questions_about_access(self):
        reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        about = {"resourceAttributes": {"verb": "get", "resource": "pods"}}
        self.assertFalse(self.ask("POST", reviews, {"spec": {"user": "bob", **about}})[1]["status"]["allowed"])
        self.assert_status(self.ask("POST", reviews, {"spec": {"user": "bob"}}), 422, "Invalid", "exactly one of")
        self.assertTrue(self.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                                 {"spec": about})[1]["status"]["allowed"])

    def test_custom_kinds_refuse_strategic_patches(self):
        path = "/apis/istio.alibabacloud.com/v1beta1/asmmeshconfigs/default"
        self.assert_status(self.ask("PATCH", path, {}, content_type="application/strategic-merge-patch+json"), 415,
                           "UnsupportedMediaType", "application/merge-patch+json")

    def test_a_crowd_of_watches_sees_every_change(self):
        start = self.ask("GET", self.MAPS)[1]["metadata"]["resourceVersion"]
        told, threads = [], []

        def watch():
            text = self.request("GET", self.MAPS + f"?watch=true&resourceVersion={start}&timeoutSeconds=8")[1]
            told.append([json.loads(line)["object"]["metadata"]["name"] for line in text.splitlines()])

        for _ in range(50):
            threads.append(threading.Thread(target=watch))
            threads[-1].start()
        names = [f"m{i}" for i in range(20)]
        for name in names:
            self.ask("POST", self.MAPS, self.config_map(name))
        for thread in threads:
            thread.join()
        self.assertEqual(told, [names] * 50)


@unittest.skipUnless(shutil.which("kubectl"), "no kubectl on PATH; ./test.sh --peers gets one")
class Kubectl(Api):
    def test_finding_out_what_there_is(self):
        self.assertIn("Server Version: v1.32", self.kubectl("version"))
        resources = self.kubectl("api-resources")
        for word in ("pods", "deploy", "inferencemodels", "asmmeshconfigs", "metrics.k8s.io/v1beta1"):
            self.assertIn(word, resources)
        self.assertIn("apps/v1", self.kubectl("api-versions"))
        self.assertIn("is running at", self.kubectl("cluster-info"))
        self.assertIn("default", self.kubectl("get", "namespaces"))

    def test_an_object_in_every_form(self):
        self.assertIn("created", self.kubectl("apply", "-f", "-", stdin=WEB))
        self.assertIn("unchanged", self.kubectl("apply", "-f", "-", stdin=WEB))
        self.assertIn("configured", self.kubectl("apply", "-f", "-", stdin=WEB.replace("value: b", "value: c")))
        env = '{.spec.template.spec.containers[0].env[*].value}'
        self.assertEqual(self.kubectl("get", "deploy", "web", "-o", f"jsonpath={env}"), "a c")
        self.assertIn("web", self.kubectl("get", "deploy"))
        self.assertIn("web", self.kubectl("get", "all", "-l", "app=web"))
        self.assertEqual(self.kubectl("get", "deploy", "-A", "-o", "name").strip(), "deployment.apps/web")
        self.assertIn("kind: Deployment", self.kubectl("get", "deploy/web", "-o", "yaml"))
        self.assertIn("web", self.kubectl("get", "deploy", "-o", "custom-columns=N:.metadata.name", "--sort-by=.metadata.name"))
        self.assertIn("web", self.kubectl("get", "deploy", "--field-selector", "metadata.name=web", "-o", "wide"))
        self.assertIn("Name:", self.kubectl("describe", "deploy", "web"))
        self.kubectl("label", "deploy", "web", "tier=front")
        self.kubectl("annotate", "deploy", "web", "note=v1x")
        self.kubectl("edit", "deploy", "web")
        self.assertEqual(self.kubectl("get", "deploy", "web", "-o", "jsonpath={.metadata.annotations.note}"), "v2x")
        self.kubectl("set", "image", "deploy/web", "main=example/other")
        self.kubectl("patch", "deploy", "web", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"main","command":["x"]}]}}}}')
        self.kubectl("patch", "deploy", "web", "--type=json", "-p", '[{"op":"add","path":"/spec/minReadySeconds","value":1}]')
        spec = json.loads(self.kubectl("get", "deploy", "web", "-o", "json"))["spec"]
        container = spec["template"]["spec"]["containers"][0]
        self.assertEqual((container["image"], container["command"], len(container["env"]), spec["minReadySeconds"]),
                         ("example/other", ["x"], 2, 1))
        self.assertIn("scaled", self.kubectl("scale", "deploy/web", "--replicas=0"))
        self.kubectl("wait", "--for=jsonpath={.spec.replicas}=0", "deploy/web", "--timeout=20s")
        self.kubectl("rollout", "status", "deploy/web", "--timeout=40s")
        self.kubectl("delete", "deploy", "web", "--wait")
        self.assertIn("NotFound", self.kubectl("get", "deploy", "web", fails=True))

    def test_what_kubectl_makes_itself_comes_as_protobuf(self):
        self.kubectl("create", "namespace", "team-a")
        self.kubectl("create", "deployment", "web", "--image=example/web", "--replicas=0", "--port=80", "-n", "team-a")
        port = "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].ports[0].containerPort}"
        self.assertEqual(self.kubectl("get", "deploy", "web", "-n", "team-a", "-o", port), "0 80")
        self.kubectl("create", "configmap", "settings", "--from-literal=a=b")
        self.assertEqual(self.kubectl("get", "configmap", "settings", "-o", "jsonpath={.data.a}"), "b")
        self.kubectl("create", "secret", "generic", "keys", "--from-literal=token=abc")
        self.assertEqual(self.kubectl("get", "secret", "keys", "-o", "jsonpath={.data.token}"), "YWJj")
        self.kubectl("autoscale", "deployment", "web", "--min=1", "--max=3", "--cpu-percent=70", "-n", "team-a")
        self.assertIn("Deployment/web", self.kubectl("get", "hpa", "web", "-n", "team-a"))
        self.assertIn("yes", self.kubectl("auth", "can-i", "create", "pods"))
        self.kubectl("delete", "namespace", "team-a")

    def test_revisions_their_causes_and_whose_the_pods_are(self):
        web = WEB.replace("replicas: 0", "replicas: 1").replace("example/none", "vllm/vllm-openai")
        web = web.replace("labels: {app: web}}", 'labels: {app: web}, annotations: {kubernetes.io/change-cause: first}}', 1)
        self.kubectl("apply", "-f", "-", stdin=web)
        self.kubectl("rollout", "status", "deploy/web", "--timeout=40s")
        eventually(lambda: "main" in self.kubectl("top", "pods", "--containers", may_fail=True), "the pod's usage", seconds=5)
        self.kubectl("set", "env", "deploy/web", "A=other")
        self.kubectl("annotate", "deploy/web", "kubernetes.io/change-cause=second", "--overwrite")
        self.kubectl("rollout", "status", "deploy/web", "--timeout=40s")
        self.kubectl("rollout", "undo", "deploy/web")
        self.kubectl("rollout", "status", "deploy/web", "--timeout=40s")
        history = [line.split() for line in self.kubectl("rollout", "history", "deploy/web").splitlines()[2:] if line]
        self.assertEqual(history, [["2", "second"], ["3", "first"]])
        self.assertIn("Scaled up replica set", self.kubectl("get", "events", "--field-selector", "reason=ScalingReplicaSet"))
        self.kubectl("rollout", "pause", "deploy/web")
        self.kubectl("wait", "--for=condition=Progressing=Unknown", "deploy/web", "--timeout=5s")
        self.kubectl("rollout", "resume", "deploy/web")
        self.kubectl("wait", "--for=condition=Progressing=True", "deploy/web", "--timeout=5s")

        # A pod whose labels leave is let go and replaced; sets that lost their Deployment are taken in again.
        pod = self.kubectl("get", "pods", "-l", "app=web", "-o", "name").strip()
        self.kubectl("label", pod, "app=loose", "--overwrite")
        eventually(lambda: self.kubectl("get", "pods", "-l", "app=web", "-o", "name").strip(), "its replacement", seconds=5)
        self.assertEqual(self.kubectl("get", pod, "-o", "jsonpath={.metadata.ownerReferences}"), "")
        self.kubectl("delete", pod, "--grace-period=1")
        before = self.kubectl("get", "rs,pods", "-o", "jsonpath={.items[*].metadata.uid}")
        self.kubectl("delete", "deploy", "web", "--cascade=orphan")
        self.assertEqual(self.kubectl("get", "rs,pods", "-o", "jsonpath={.items[*].metadata.uid}"), before)
        self.kubectl("apply", "-f", "-", stdin=web)
        self.kubectl("rollout", "status", "deploy/web", "--timeout=40s")
        self.assertEqual(self.kubectl("get", "rs,pods", "-o", "jsonpath={.items[*].metadata.uid}"), before)

    def test_a_command_in_a_pod(self):
        web = WEB.replace("replicas: 0", "replicas: 1").replace("example/none", "vllm/vllm-openai")
        self.kubectl("apply", "-f", "-", stdin=web)
        self.kubectl("rollout", "status", "deploy/web", "--timeout=40s")
        # With the container's environment, its input, both its outputs and its exit status.
        self.assertEqual(self.kubectl("exec", "deploy/web", "--", "sh", "-c", "echo $A; echo $B"), "a\nb\n")
        self.assertEqual(self.kubectl("exec", "-i", "deploy/web", "--", "sort", stdin="b\na\n"), "a\nb\n")
        large = "".join(f"{i:09}\n" for i in range(100_000))
        self.assertEqual(self.kubectl("exec", "-i", "deploy/web", "--", "cat", stdin=large), large)
        said = self.kubectl("exec", "deploy/web", "--", "sh", "-c", "echo out; echo wrong >&2; exit 3", fails=True)
        self.assertIn("wrong", said)
        self.assertIn("exit code 3", said)
        self.assertIn("not found in $PATH", self.kubectl("exec", "deploy/web", "--", "no-such-program", fails=True))
        self.assertIn("not valid", self.kubectl("exec", "deploy/web", "-c", "other", "--", "true", fails=True))
        # A terminal where one is asked for; without one no program finds one.
        self.assertIn("/dev/pts/", self.kubectl_in_terminal("exec", "-it", "deploy/web", "--", "tty"))
        self.assertIn("not a tty", self.kubectl("exec", "-i", "deploy/web", "--", "sh", "-c", "tty || true", stdin=""))
        # Whoever leaves takes the command along.
        child = subprocess.Popen(["kubectl", "exec", "deploy/web", "--", "sleep", "12345"],
                                 env={**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": self.folder})
        runs = lambda: any(quiet(path.read_bytes) == b"sleep\x0012345\0" for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"))
        eventually(runs, "the command to run")
        child.kill()
        child.wait()
        eventually(lambda: not runs(), "the command to end")
        self.assert_status(self.ask("GET", self.kubectl("get", "pods", "-o", "jsonpath=/api/v1/namespaces/default/pods/{.items[0].metadata.name}/exec")
                                    + "?command=true"), 400, "BadRequest", "Upgrade request required")

    def test_a_pod_that_nobody_owns_finds_its_set_at_once(self):
        self.kubectl("apply", "-f", "-", stdin="""
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: none-wanted}
spec:
  replicas: 0
  selector: {matchLabels: {app: stray}}
  template: {metadata: {labels: {app: stray}}, spec: {containers: [{name: main, image: example/none}]}}
""")
        eventually(lambda: self.kubectl("get", "rs", "none-wanted", "-o", "jsonpath={.status.observedGeneration}") == "1", "the set")
        self.kubectl("run", "stray", "--image=example/none", "--labels=app=stray")
        eventually(lambda: self.kubectl("get", "pods", "-l", "app=stray", "-o", "name") == "", "the pod to be one too many")

    def test_apply_asks_for_nothing_that_is_refused(self):
        for step in ("2-gateway", "4-model"):  # kinds without strategic merge
            self.kubectl("apply", "-f", EXAMPLE / f"{step}.yaml")
            done = self.kubectl_all("apply", "-v=6", "-f", EXAMPLE / f"{step}.yaml")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("/openapi/v2", done.stderr)
            self.assertNotRegex(done.stderr, r" 4\d\d [A-Z]")

    def kubectl_in_terminal(self, *args):
        """What kubectl prints where its own streams are a terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe("kubectl", ["kubectl", *args], {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": self.folder})
        text = b""
        with contextlib.suppress(OSError):
            while piece := os.read(terminal, 4096):
                text += piece
        os.close(terminal)
        os.waitpid(pid, 0)
        return text.decode()

    def test_what_an_installer_brings_is_kept(self):
        for way in ([], ["--server-side", "--force-conflicts"]):
            self.kubectl("apply", *way, "-f", "-", stdin=INSTALLER)
        self.kubectl("wait", "--for=condition=established", "crd/inferencepools.inference.networking.k8s.io", "--timeout=5s")
        self.assertEqual(self.kubectl("get", "inferencepools.inference.networking.k8s.io", "-o", "name"), "")
        self.kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
        self.kubectl("create", "rolebinding", "reader", "--role=reader", "--serviceaccount=default:installer")
        self.assertIn("pods", self.kubectl("describe", "role", "reader"))
        self.kubectl("create", "clusterrole", "reader", "--verb=get", "--resource=pods")
        # No webhook stands in the way, and a role that a binding names stays.
        self.kubectl("create", "configmap", "free")
        self.assertIn("roleRef", self.kubectl(
            "patch", "rolebinding", "reader", "--type=merge", "-p", '{"roleRef":{"name":"other"}}', fails=True))
        self.kubectl("delete", "-f", "-", stdin=INSTALLER)
        self.assertEqual(self.kubectl("get", "inferencepools.inference.networking.k8s.io", "-o", "name"), "")

    def test_the_canary_walk(self):
        engines = (EXAMPLE / "1-engines.yaml").read_text().replace("replicas: 3", "replicas: 0")
        self.kubectl("apply", "-f", "-", stdin=engines)
        port = free_port()
        self.kubectl("apply", "-f", "-", stdin=(EXAMPLE / "2-gateway.yaml").read_text().replace("8080", str(port)))
        self.assertIn("patched", self.kubectl(
            "patch", "asmmeshconfig", "default", "--type=merge",
            '--patch={"spec":{"gatewayAPIInferenceExtension":{"enabled":true}}}'))
        for step in ("3-pool", "4-model", "5-route"):
            self.assertIn("created", self.kubectl("apply", "-f", EXAMPLE / f"{step}.yaml"))
        self.kubectl("scale", "deploy/vllm-llama2-7b-pool", "--replicas=1")
        self.kubectl("rollout", "status", "deploy/vllm-llama2-7b-pool", "--timeout=60s")

        def answer():
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/completions", headers={"Host": "test.com", "Content-Type": "application/json"},
                data=json.dumps({"model": "lora-request", "prompt": "x", "max_tokens": 4}).encode())
            try:
                return json.load(urllib.request.urlopen(asked, timeout=10))
            except OSError:
                return None

        served = eventually(answer, "an answer through the gateway", seconds=40)
        self.assertRegex(served["model"], "^(sql-lora|tweet-summary)")
        pod = self.kubectl("get", "pods", "-o", "name").strip()
        eventually(lambda: self.kubectl("logs", pod, "--tail=5"), "the engine's log")


class Alone(WireTest):
    def test_the_api_without_a_machine(self):
        """`tidegate apiserver` keeps objects over a kill -9, for one process at a time."""
        data = pathlib.Path(self.folder) / "data"
        kubeconfig = data / "kubeconfig"
        env = {**os.environ, "KUBECONFIG": str(kubeconfig)}

        def start():
            kubeconfig.unlink(missing_ok=True)
            server = self.own(Process([settings.BINARY, "apiserver", "--data", data, "--api-port", "0"], self.folder, "api"))
            eventually(kubeconfig.exists, "the kubeconfig")
            return server

        def tidegate(*args, stdin=None):
            return subprocess.run([settings.BINARY, *args], env=env, input=stdin, capture_output=True, text=True, timeout=20)

        server = start()
        self.assertIn("created", tidegate("apply", "-f", "-", stdin=WEB).stdout)
        second = tidegate("apiserver", "--data", str(data), "--api-port", "0")
        self.assertEqual(second.returncode, 1)
        self.assertIn("in use by another tidegate", second.stderr)
        server.signal(signal.SIGKILL)
        server.wait()
        start()
        self.assertIn("web", tidegate("get", "deployments").stdout)
        self.assertEqual(tidegate("get", "replicasets").stdout, "")


if __name__ == "__main__":
    unittest.main()
