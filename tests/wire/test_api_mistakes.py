"""What is wrong with a request is told as Kubernetes tells it: status, reason, causes; and nothing is stored."""

import json
import shutil
import unittest

from harness.api import Api

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
POOLS = "/apis/inference.networking.k8s.io/v1/namespaces/default/inferencepools"
YAML = {"content_type": "application/yaml"}
MERGE = {"content_type": "application/merge-patch+json"}
STRATEGIC = {"content_type": "application/strategic-merge-patch+json"}
JSON_PATCH = {"content_type": "application/json-patch+json"}
APPLY = {"content_type": "application/apply-patch+yaml"}

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: example/none, resources: {requests: {cpu: 100m}}}]
"""


def config_map(name="m", **more):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}, **more}


def deployment():
    labels = {"app": "web"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "example/none"}]}}}}


class Mistakes(Api):
    def tearDown(self):
        if hasattr(self, "stored"):
            return
        for path in (MAPS, DEPLOYMENTS, POOLS):
            self.assertEqual(self.ask("GET", path)[1]["items"], [], "something was stored")

    def make(self, path, document):
        self.stored = True
        status, made = self.ask("POST", path, document)
        self.assertEqual(status, 201, made)
        return made

    def causes(self, answer, says=""):
        body = self.assert_status(answer, 422, "Invalid", says)
        return {(cause.get("field"), cause["reason"]) for cause in body["details"]["causes"]}

    def test_a_document_of_another_kind(self):
        for document, says in (
                (config_map(), "does not match the expected API version (apps/v1)"),
                ({**deployment(), "kind": "ReplicaSet"}, "must be of type Deployment"),
                ({**deployment(), "kind": 7}, "must be of type Deployment"),
                ({**deployment(), "apiVersion": "apps/v9"}, "does not match the expected API version (apps/v1)")):
            self.assert_status(self.ask("POST", DEPLOYMENTS, document), 400, "BadRequest", says)

    def test_what_no_object_is(self):
        for body in ("", "{", "[]", "7", '{"a":1}{}', "\xff\xfe", '{"a":' * 2000 + "1" + "}" * 2000, '{"a":1e999}'):
            self.assert_status(self.ask("POST", MAPS, body.encode("latin-1")), 400, "BadRequest")
        for body in ("a: [", "a: 1\n---\nb: 2\n", "- a\n", "a: *b\n", "a: !!python/object {}\n", "[" * 5000):
            self.assert_status(self.ask("POST", MAPS, body, **YAML), 400, "BadRequest")
        self.assert_status(self.ask("POST", MAPS, b"k8s\0\xff\xff\xff", content_type="application/vnd.kubernetes.protobuf"),
                           400, "BadRequest")
        self.assert_status(self.ask("POST", MAPS, "{}", content_type="text/plain"), 415, "UnsupportedMediaType")
        self.assert_status(self.ask("POST", MAPS, {"metadata": []}), 400, "BadRequest")

    def test_fields_that_do_not_exist(self):
        document = deployment()
        document["spec"]["replcias"] = 1
        document["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
        says = ('Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field '
                '"spec.template.spec.containers[0].imagee", unknown field "spec.replcias"')
        for order in (says, says.replace('"spec.template.spec.containers[0].imagee", unknown field "spec.replcias"',
                                         '"spec.replcias", unknown field "spec.template.spec.containers[0].imagee"')):
            if order.split("error: ")[1] in self.ask("POST", DEPLOYMENTS + "?fieldValidation=Strict", document)[1]["message"]:
                says = order
        self.assert_status(self.ask("POST", DEPLOYMENTS + "?fieldValidation=Strict", document), 400, "BadRequest", says)
        status, text, headers = self.request("POST", DEPLOYMENTS + "?dryRun=All", document)
        self.assertEqual((status, len(headers.get_all("Warning"))), (201, 2))
        self.assertNotIn("replcias", text)
        _, _, headers = self.request("POST", DEPLOYMENTS + "?dryRun=All&fieldValidation=Ignore", document)
        self.assertIsNone(headers["Warning"])
        self.assert_status(self.ask("POST", DEPLOYMENTS + "?fieldValidation=Loud", document), 422, "Invalid", "fieldValidation")

    def test_a_patch_with_fields_that_do_not_exist(self):
        self.make(DEPLOYMENTS, deployment())
        patch = {"spec": {"replcias": 1}}
        self.assertEqual(self.causes(self.ask("PATCH", DEPLOYMENTS + "/web?fieldValidation=Strict", patch, **STRATEGIC),
                                     'strict decoding error: unknown field "spec.replcias"'), {("patch", "FieldValueInvalid")})
        self.assertEqual(self.ask("PATCH", DEPLOYMENTS + "/web?fieldValidation=Warn", patch, **MERGE)[0], 200)

    def test_values_of_another_type(self):
        for path, value, says in (
                (("spec", "replicas"), "two", "cannot unmarshal string into field spec.replicas of type integer"),
                (("spec", "replicas"), 1.5, "cannot unmarshal number into field spec.replicas of type integer"),
                (("spec", "paused"), "yes", "cannot unmarshal string into field spec.paused of type bool"),
                (("spec", "template"), [], "cannot unmarshal array into field spec.template of type object"),
                (("metadata", "labels"), {"a": 1}, "cannot unmarshal number into field metadata.labels.a of type string"),
                (("metadata", "creationTimestamp"), "soon", "parsing time")):
            document = deployment()
            document[path[0]][path[1]] = value
            self.assert_status(self.ask("POST", DEPLOYMENTS, document), 400, "BadRequest", says)
        self.assert_status(self.ask("POST", MAPS, config_map(data={"a": 1})), 400, "BadRequest", "into field data.a of type string")
        secret = {"metadata": {"name": "s"}, "data": {"a": "not base64!"}}
        self.assert_status(self.ask("POST", "/api/v1/namespaces/default/secrets", secret), 400, "BadRequest", "base64")
        # A custom kind's come from its schema.
        pool = {"metadata": {"name": "p"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "targetPorts": [{"number": "x"}],
                                                    "endpointPickerRef": {"name": "e", "port": {"number": 1}}}}
        self.assertIn(("spec.targetPorts[0].number", "FieldValueInvalid"), self.causes(self.ask("POST", POOLS, pool)))

    def test_quantities(self):
        for wrong in ("much", "1.5.2", "10Mb", "0x10", "1 Gi"):
            document = deployment()
            document["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": wrong}}
            self.assert_status(self.ask("POST", DEPLOYMENTS, document), 400, "BadRequest",
                               "quantities must match the regular expression")
        document["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "-1"}}
        self.assertTrue(self.causes(self.ask("POST", DEPLOYMENTS, document), "resources.limits"))

    def test_everything_that_is_wrong_is_named(self):
        document = deployment()
        document["metadata"]["name"] = "Bad_Name"
        document["metadata"]["labels"] = {"a": "-"}
        document["spec"]["replicas"] = -1
        del document["spec"]["selector"]
        document["spec"]["template"]["spec"]["containers"] = [{"image": "x"}]
        causes = self.causes(self.ask("POST", DEPLOYMENTS, document), 'Deployment.apps "Bad_Name" is invalid: [')
        for field, reason in (("metadata.name", "FieldValueInvalid"), ("spec.replicas", "FieldValueInvalid"),
                              ("spec.selector", "FieldValueRequired"),
                              ("spec.template.spec.containers[0].name", "FieldValueRequired")):
            self.assertIn((field, reason), causes)
        self.causes(self.ask("POST", MAPS, {"data": {}}), "metadata.name: Required value")
        self.causes(self.ask("POST", MAPS, config_map(data={"a/b": "x"})), "data")

    def test_what_cannot_change(self):
        self.make(DEPLOYMENTS, deployment())
        labels = {"app": "other"}
        both = {"spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}}
        self.assertEqual(self.causes(self.ask("PATCH", DEPLOYMENTS + "/web", both, **MERGE), "immutable"),
                         {("spec.selector", "FieldValueInvalid")})
        selector = {"spec": {"selector": {"matchLabels": labels}}}
        self.causes(self.ask("PATCH", DEPLOYMENTS + "/web", selector, **MERGE))
        for patch in ({"name": "x"}, {"namespace": "x"}, {"uid": "x"}):
            status, body = self.ask("PATCH", DEPLOYMENTS + "/web", {"metadata": patch}, **MERGE)
            self.assertIn(status, (400, 409, 422), body)
        self.assert_status(self.ask("PUT", DEPLOYMENTS + "/other", deployment()), 400, "BadRequest",
                           "does not match the name on the URL")
        self.assertEqual(self.ask("GET", DEPLOYMENTS + "/web")[1]["metadata"]["generation"], 1)

    def test_revisions_that_are_stale(self):
        made = self.make(MAPS, config_map())
        self.assertEqual(self.ask("PUT", MAPS + "/m", {**made, "data": {"a": "2"}})[0], 200)
        body = self.assert_status(self.ask("PUT", MAPS + "/m", {**made, "data": {"a": "3"}}), 409, "Conflict",
                                  'Operation cannot be fulfilled on configmaps "m": the object has been modified; please apply '
                                  "your changes to the latest version and try again")
        self.assertEqual(body["details"], {"name": "m", "kind": "configmaps"})
        stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
        self.assert_status(self.ask("PATCH", MAPS + "/m", stale, **MERGE), 409, "Conflict")
        for options in ({"preconditions": {"uid": "x"}}, {"preconditions": {"resourceVersion": "1"}}):
            self.assert_status(self.ask("DELETE", MAPS + "/m", options), 409, "Conflict", "Precondition failed")
        self.assertEqual(self.ask("GET", MAPS + "/m")[1]["data"], {"a": "2"})
        self.assertEqual(self.ask("POST", MAPS, {**made, "metadata": {"name": "n", "resourceVersion": "5"}})[0] // 100, 4)

    def test_names_and_namespaces(self):
        body = self.assert_status(self.ask("POST", MAPS.replace("default", "absent"), config_map()), 404, "NotFound",
                                  'namespaces "absent" not found')
        self.assertEqual(body["details"], {"name": "absent", "kind": "namespaces"})
        self.assert_status(self.ask("POST", MAPS, config_map(metadata={"name": "m", "namespace": "other"})), 400, "BadRequest",
                           "the namespace of the provided object does not match the namespace sent on the request")
        for method in ("GET", "DELETE", "PUT", "PATCH"):
            sent = None if method in ("GET", "DELETE") else config_map()
            options = MERGE if method == "PATCH" else {}
            self.assert_status(self.ask(method, MAPS + "/m", sent, **options), 404, "NotFound", 'configmaps "m" not found')
        self.make(MAPS, config_map())
        body = self.assert_status(self.ask("POST", MAPS, config_map()), 409, "AlreadyExists", 'configmaps "m" already exists')
        self.assertEqual(body["details"], {"name": "m", "kind": "configmaps"})
        self.assert_status(self.ask("DELETE", "/api/v1/namespaces/default"), 403, "Forbidden")

    def test_too_much_of_everything(self):
        large = config_map(data={"a": "x" * (1600 * 1024)})
        self.assert_status(self.ask("POST", MAPS, large), 413, "RequestEntityTooLarge")
        self.assert_status(self.ask("POST", MAPS, "a: " + "x" * (1600 * 1024), **YAML), 413, "RequestEntityTooLarge")
        self.assert_status(self.ask("POST", MAPS, config_map(data={"a": "x" * (4 << 20)})), 413, "RequestEntityTooLarge",
                           "limit is 3145728")
        self.causes(self.ask("POST", MAPS, config_map(metadata={"name": "m", "annotations": {"a": "x" * (300 * 1024)}})),
                    "metadata.annotations")
        deep = "x"
        for _ in range(500):
            deep = [deep]
        self.assert_status(self.ask("POST", MAPS, config_map(extra=deep)), 400, "BadRequest", "deeper")

    def test_aliases_that_explode(self):
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))
        self.assert_status(self.ask("POST", MAPS, bomb, **YAML), 400, "BadRequest", "aliases")
        self.assert_status(self.ask("PATCH", MAPS + "/m?fieldManager=x", bomb, **APPLY), 400, "BadRequest", "aliases")
        itself = "a: &a\n  b: *a\n"
        self.assert_status(self.ask("POST", MAPS, itself, **YAML), 400, "BadRequest")

    def test_keys_that_are_there_twice(self):
        body = "metadata: {name: twice}\ndata:\n  a: one\n  b: two\n  a: three\n"
        self.assert_status(self.ask("POST", MAPS + "?fieldValidation=Strict", body, **YAML), 400, "BadRequest",
                           'line 5: key "a" already set in map')
        status, text, headers = self.request("POST", MAPS + "?dryRun=All", body, **YAML)
        self.assertEqual((status, json.loads(text)["data"]), (201, {"a": "three", "b": "two"}))
        self.assertIn('key \\"a\\" already set in map', headers["Warning"])
        _, _, headers = self.request("POST", MAPS + "?dryRun=All&fieldValidation=Ignore", body, **YAML)
        self.assertIsNone(headers["Warning"])
        many = "data:\n" + "  a: x\n" * 5000
        self.assert_status(self.ask("POST", MAPS + "?dryRun=All", many, **YAML), 400, "BadRequest", "twice")

    def test_patches_that_do_not_fit(self):
        self.make(MAPS, config_map())
        for patch in ({"op": "add"}, [{"op": "jump", "path": "/a"}], [{"op": "replace", "path": "/data/x/y", "value": 1}],
                      [{"op": "test", "path": "/data/a", "value": "2"}], [{"op": "remove", "path": "/data/none"}],
                      [{"op": "copy", "from": "/none", "path": "/data/b"}], "[", "{}"):
            status, body = self.ask("PATCH", MAPS + "/m", patch, **JSON_PATCH)
            self.assertIn((status, body["reason"]), ((422, "Invalid"), (400, "BadRequest")), body)
        for patch in ("[]", "7", "{"):
            self.assert_status(self.ask("PATCH", MAPS + "/m", patch, **MERGE), 400, "BadRequest")
        self.assert_status(self.ask("PATCH", MAPS + "/m", config_map(), **APPLY), 422, "Invalid", "fieldManager")
        self.assert_status(self.ask("PATCH", MAPS + "/m", "{}", content_type="application/json"), 415, "UnsupportedMediaType",
                           "application/strategic-merge-patch+json")
        self.assertEqual(self.ask("GET", MAPS + "/m")[1]["data"], {"a": "1"})

    def test_questions_that_mean_nothing(self):
        for query in ("labelSelector=a%20in", "labelSelector=%3D", "fieldSelector=spec.image%3Dx", "fieldSelector=metadata.name",
                      "continue=x", "limit=x", "resourceVersion=x", "watch=1&resourceVersion=x"):
            status, body = self.ask("GET", f"{MAPS}?{query}")
            self.assertIn((status, body["reason"]), ((400, "BadRequest"), (422, "Invalid")), (query, body))
        for path in ("/api/v1/nothings", "/apis/none/v1/things", "/api/v1/namespaces/default/configmaps/m/status", "/nothing"):
            self.assert_status(self.ask("GET", path), 404, "NotFound", "the server could not find the requested resource")
        self.assert_status(self.ask("POST", MAPS + "/m", {}), 405, "MethodNotAllowed")
        self.assert_status(self.ask("GET", MAPS, token="wrong"), 401, "Unauthorized")
        self.assert_status(self.ask("GET", MAPS, accept="text/html"), 406, "NotAcceptable")
        self.assert_status(self.ask("POST", MAPS + "?dryRun=Some", config_map()), 422, "Invalid", "dryRun")
        self.assertEqual(self.ask("DELETE", MAPS + "/m?propagationPolicy=Loud")[0], 400)


@unittest.skipUnless(shutil.which("kubectl"), "no kubectl on PATH; ./test.sh --peers gets one")
class MistakesByKubectl(Api):
    def fails(self, *args, stdin=None):
        return self.kubectl(*args, stdin=stdin, fails=True)

    def test_kubectl_tells_them_as_it_does_of_a_cluster(self):
        for changed, says in (
                (WEB.replace("Deployment", "Deploymint"), 'no matches for kind "Deploymint" in version "apps/v1"'),
                (WEB.replace("apps/v1", "apps/v9"), 'no matches for kind "Deployment" in version "apps/v9"'),
                (WEB.replace("replicas", "replcias"), 'Error from server (BadRequest): error when creating "STDIN": Deployment in '
                 'version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replcias"'),
                (WEB.replace("100m", "much"), "quantities must match the regular expression"),
                (WEB.replace("replicas: 0", "replicas: two"), "cannot be handled as a Deployment: json: cannot unmarshal string"),
                (WEB.replace("replicas: 0", "replicas: -1"), 'The Deployment "web" is invalid: spec.replicas: Invalid value: -1'),
                (WEB.replace("{name: web}", "{name: web, namespace: absent}"), 'namespaces "absent" not found')):
            self.assertIn(says, self.fails("apply", "-f", "-", stdin=changed))
            self.assertIn("NotFound", self.fails("get", "deployment", "web"))
        self.kubectl("apply", "-f", "-", stdin=WEB)
        self.assertIn("field is immutable", self.fails("apply", "-f", "-", stdin=WEB.replace("app: web", "app: other")))
        self.assertIn('strict decoding error: unknown field "spec.replcias"',
                      self.fails("apply", "-f", "-", stdin=WEB.replace("replicas", "replcias")))
        self.assertIn("AlreadyExists", self.fails("create", "-f", "-", stdin=WEB))
        now = self.kubectl("get", "deployment", "web", "-o", "yaml")
        self.kubectl("annotate", "deployment", "web", "a=b")
        self.assertIn("the object has been modified", self.fails("replace", "-f", "-", stdin=now.replace("replicas: 0", "replicas: 1")))
        self.assertIn("Apply failed with 1 conflict", self.fails(
            "apply", "--server-side", "--field-manager=other", "-f", "-", stdin=WEB.replace("replicas: 0", "replicas: 3")))
        self.assertIn("NotFound", self.fails("delete", "configmap", "none"))
        self.assertIn("doesn't have a resource type", self.fails("get", "nothings"))
        self.assertIn("field label not supported", self.fails("get", "pods", "--field-selector=spec.image=x"))


if __name__ == "__main__":
    unittest.main()
